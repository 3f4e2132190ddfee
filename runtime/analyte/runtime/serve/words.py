"""Flags and reasons in plain words: what a technician reads, and what to do."""

from __future__ import annotations

from analyte.contract.reading import Flag, Reason

FLAG_WORDS: dict[Flag, str] = {
    Flag.OUT_OF_RANGE: "Just outside the calibrated range",
    Flag.COVARIATE_OUT_OF_RANGE: "A condition beside the picture is slightly outside what was trained",
    Flag.BELOW_LOD: "Below the limit of detection: less than the upper limit shown",
    Flag.BELOW_LOQ: "Below the limit of quantitation: the value is uncertain",
    Flag.FOCUS: "The picture is somewhat blurred",
    Flag.CLIPPED: "Parts of the picture are overexposed or black",
    Flag.EXPOSURE: "The picture is rather dark or bright",
    Flag.GLARE: "There is some glare",
    Flag.MOTION: "Something moved slightly",
    Flag.COVERAGE: "The region is not quite filled",
    Flag.LIGHT: "The light is not quite as it should be",
    Flag.OUTLIERS: "Some frames were left out as outliers",
}
REASON_WORDS: dict[Reason, str] = {
    Reason.OUT_OF_RANGE: "The value is outside the calibrated range. Dilute or concentrate the sample.",
    Reason.IMPLAUSIBLE: "Two ways of reading the picture disagree. Check the sample.",
    Reason.FOREIGN: "This does not look like a picture the device knows. Check the sample and its place.",
    Reason.COVARIATE: "A condition beside the picture is missing or unknown. Enter it in the profile.",
    Reason.NOT_FINITE: "The model gave no number. Measure again; if it stays, call service.",
    Reason.BAD_FRAME: "The picture cannot be used. Check the camera.",
    Reason.STALE_FRAME: "The picture is too old. Check the camera's cable.",
    Reason.REGION_NOT_FOUND: "The well or the markers cannot be seen. Check the holder.",
    Reason.MOVED: "The well or the markers are not where they should be. Check the holder.",
    Reason.COLOUR: "The colours cannot be corrected. Check the colour chart and the light.",
    Reason.FOCUS: "The picture is blurred. Focus the camera.",
    Reason.CLIPPED: "Too much of the picture is overexposed or black. Adjust the light.",
    Reason.EXPOSURE: "The picture is too dark or too bright. Adjust the light.",
    Reason.GLARE: "There is too much glare. Remove the reflection.",
    Reason.MOTION: "Something moved. Keep the sample still.",
    Reason.COVERAGE: "The region is not filled. Check the amount of sample.",
    Reason.LIGHT: "The light is not as it should be. Check the lamp and stray light.",
    Reason.UNSTEADY: "The values of one reading differ too much. Wait until the sample is steady.",
    Reason.CONTROL_FAILED: "The control failed. A supervisor has to release the device.",
    Reason.CONTROL_DUE: "A control sample has to be measured first.",
}
