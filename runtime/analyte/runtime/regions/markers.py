"""Four ArUco markers: what lies between them is brought to a picture of fixed size by a homography."""

from __future__ import annotations

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import ProfileError
from analyte.contract.reading import Reason
from analyte.contract.sections.region import MarkerSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.protocol import Located, RegionFinder

_PREFIX = "DICT_"
_CORNERS = ("top left", "top right", "bottom right", "bottom left")
_FLATTEST = 0.05
"""Smallest sine of an angle between two sides of the markers' quadrilateral: below, it is a line."""


class MarkerRegions:
    """Rectifies each frame and finds the regions in the rectified picture.

    The picture's buffer is used again for the next frame. Not for use by two threads at once.
    """

    def __init__(self, section: MarkerSection, inner: RegionFinder, *, where: object) -> None:
        """``inner``: finds the regions in the rectified picture; ``where``: the profile, for errors.

        Raises: ProfileError for a dictionary that OpenCV does not have, or ids that are not in it.
        """
        self._section, self._inner = section, inner
        self.names = inner.names
        self._detector = detector_of(section, where=where)
        self._picture: UInt8Array = np.empty((section.height, section.width, 3), np.uint8)
        right, bottom = section.width, section.height
        # The coordinates of sections count from the edge of the first pixel, OpenCV's from its centre.
        self._target = np.array([(0, 0), (right, 0), (right, bottom), (0, bottom)], np.float32) - 0.5

    def locate(self, pixels: UInt8Array) -> Located:
        """Return the rectified picture with its regions; see `RegionFinder.locate`."""
        centres = self._centres(pixels)
        self._check(centres)
        homography = cv2.getPerspectiveTransform(centres - np.float32(0.5), self._target)
        height, width = self._picture.shape[:2]
        cv2.warpPerspective(
            pixels, homography, (width, height), dst=self._picture, borderMode=cv2.BORDER_REPLICATE
        )
        return self._inner.locate(self._picture)

    def _centres(self, pixels: UInt8Array) -> Float32Array:
        """Return the centres in the order of the ids, float32 ``[4, 2]``, x and y in pixels from the
        edge.

        Raises: Refusal with REGION_NOT_FOUND where a marker is missing or is there twice.
        """
        corners, found, _ = self._detector.detectMarkers(pixels)
        ids = [] if found is None else [int(number) for number in np.ravel(found)]
        wanted = self._section.ids
        missing = [f"{wanted[at]} ({_CORNERS[at]})" for at in range(4) if wanted[at] not in ids]
        if missing:
            raise Refusal(
                Reason.REGION_NOT_FOUND,
                f"expected markers {', '.join(map(str, wanted))} of {self._section.dictionary}; "
                f"got none for {', '.join(missing)}",
            )
        double = [str(number) for number in wanted if ids.count(number) > 1]
        if double:
            raise Refusal(
                Reason.REGION_NOT_FOUND,
                f"expected each marker once; got marker {', '.join(double)} twice",
            )
        quads = [np.asarray(corners[ids.index(number)], np.float64).reshape(4, 2) for number in wanted]
        return np.array([_crossing(quad) for quad in quads], np.float32) + np.float32(0.5)

    def _check(self, centres: Float32Array) -> None:
        """Refuse layouts that are no picture of the instrument, and ones that have moved. Raises:
        Refusal."""
        shown = ", ".join(f"({x:.0f}, {y:.0f})" for x, y in centres)
        sides = np.roll(centres, -1, axis=0) - centres
        following = np.roll(sides, -1, axis=0)
        turn = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
        lengths = np.hypot(sides[:, 0], sides[:, 1])
        if np.any(turn <= _FLATTEST * lengths * np.roll(lengths, -1)):
            raise Refusal(
                Reason.REGION_NOT_FOUND,
                f"expected the markers clockwise, {', '.join(_CORNERS)}, around an area; got centres {shown}",
            )
        if self._section.expected is None:
            return
        distances = np.hypot(*(centres - np.array(self._section.expected, np.float32)).T)
        worst = int(distances.argmax())
        if distances[worst] > self._section.allowed_px:
            x, y = self._section.expected[worst]
            raise Refusal(
                Reason.MOVED,
                f"expected marker {self._section.ids[worst]} ({_CORNERS[worst]}) within "
                f"{self._section.allowed_px:g} px of {x:g}, {y:g}; got it at "
                f"{centres[worst, 0]:.1f}, {centres[worst, 1]:.1f}",
            )


def detector_of(section: MarkerSection, *, where: object) -> cv2.aruco.ArucoDetector:
    """Return what finds the markers of a section. Raises: ProfileError as `MarkerRegions`."""
    parameters = cv2.aruco.DetectorParameters()
    # Lines through the contour: on small markers the window around a corner holds parts of the code.
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_CONTOUR
    return cv2.aruco.ArucoDetector(_dictionary(section, where), parameters)


def _crossing(quad: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return where the diagonals of a marker cross: its centre in perspective, which the mean is not."""
    first, second, third, fourth = quad
    a, b, c = third - first, fourth - second, second - first
    along = (c[0] * b[1] - c[1] * b[0]) / (a[0] * b[1] - a[1] * b[0])
    x, y = first + along * a
    return float(x), float(y)


def _dictionary(section: MarkerSection, where: object) -> cv2.aruco.Dictionary:
    names = sorted(name.removeprefix(_PREFIX) for name in dir(cv2.aruco) if name.startswith(_PREFIX))
    if section.dictionary not in names:
        raise ProfileError(
            "region.markers.dictionary: OpenCV has no such dictionary",
            where=where,
            expected=", ".join(names),
            got=section.dictionary,
        )
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, _PREFIX + section.dictionary))
    count = len(dictionary.bytesList)
    outside = [number for number in section.ids if not 0 <= number < count]
    if outside:
        raise ProfileError(
            "region.markers.ids: the dictionary has no such marker",
            where=where,
            expected=f"0 to {count - 1} in {section.dictionary}",
            got=outside[0],
        )
    return dictionary
