"""Reactions: from the value of an analyte to the absorption spectrum of the liquid in the well.

Bands are Gaussian in wavenumber, the usual model of a broad band in solution (e.g. Perkampus, "UV-VIS
Spectroscopy and Its Applications", Springer 1992); absorption adds up by Beer-Lambert's law.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.label import LabelSpec
from analyte.train.simulator.spectra import WAVELENGTHS_NM


@dataclass(frozen=True, slots=True)
class Band:
    """One absorption band of one coloured species."""

    peak_nm: float
    epsilon_litre_per_mol_cm: float
    """Decadic molar absorption coefficient at the peak, L/(mol cm)."""
    fwhm_per_cm: float
    """Full width at half maximum, in wavenumbers, 1/cm."""

    def epsilon(self, wavelengths_nm: Float64Array) -> Float64Array:
        """Return the decadic molar absorption coefficient, L/(mol cm), at each wavelength."""
        offset = 1e7 / wavelengths_nm - 1e7 / self.peak_nm
        return self.epsilon_litre_per_mol_cm * np.exp(-4 * math.log(2) * (offset / self.fwhm_per_cm) ** 2)


@dataclass(frozen=True, slots=True)
class Species:
    """A coloured molecule and how much of it there is."""

    name: str
    bands: tuple[Band, ...]
    concentration_mol_per_litre: Callable[[float], float]
    """Concentration in the well, mol/L, as a function of the value in the reaction's unit."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """A colorimetric reaction as the simulator needs it."""

    name: str
    label: LabelSpec
    """What is measured, its unit and the range that is simulated unless another is asked for."""
    limits: tuple[float, float]
    """Lowest and highest value, in the unit, for which the model holds."""
    species: tuple[Species, ...]
    source: str
    """Where the numbers come from."""

    def absorption_per_cm(self, value: float) -> Float64Array:
        """Return the decadic absorption coefficient of the liquid, float64 ``[61]``, 1/cm.

        Beer-Lambert: a(lambda) = sum over species of epsilon(lambda) * c; absorbance is a times path length.
        ``value``: in the reaction's unit.
        """
        total = np.zeros_like(WAVELENGTHS_NM)
        for species in self.species:
            epsilon = sum((band.epsilon(WAVELENGTHS_NM) for band in species.bands), np.zeros_like(total))
            total = total + species.concentration_mol_per_litre(value) * epsilon
        return total


NITRITE_GRAM_PER_MOL = 46.0055
"""Molar mass of NO2-."""
GRIESS_DILUTION = 50.0 / 52.0
"""50 mL of sample and 2 mL of colour reagent (Standard Methods 4500-NO2- B)."""
BRILLIANT_BLUE_GRAM_PER_MOL = 792.85
"""Molar mass of the disodium salt."""
PHENOL_RED_PK = 8.03
"""pK of the second dissociation at 25 degrees Celsius in fresh water (Yao & Byrne 2001)."""
PHENOL_RED_MOL_PER_LITRE = 12e-6
"""Dose in the well. It scales the depth of colour only."""


def _azo_dye(nitrite_microgram_per_litre: float) -> float:
    # One nitrite ion gives one diazonium ion, which couples to one molecule of dye.
    return nitrite_microgram_per_litre * 1e-6 / NITRITE_GRAM_PER_MOL * GRIESS_DILUTION


def _brilliant_blue(milligram_per_litre: float) -> float:
    return milligram_per_litre * 1e-3 / BRILLIANT_BLUE_GRAM_PER_MOL


def _phenol_red_base(ph: float) -> float:
    # Henderson-Hasselbalch.
    return PHENOL_RED_MOL_PER_LITRE / (1.0 + math.pow(10.0, PHENOL_RED_PK - ph))


def _phenol_red_acid(ph: float) -> float:
    return PHENOL_RED_MOL_PER_LITRE - _phenol_red_base(ph)


REACTIONS: dict[str, Reaction] = {
    "griess": Reaction(
        name="griess",
        # With 1 cm of liquid over a white bottom (2 cm of path), 80 to 350 ug/L is a peak absorbance of 0.15
        # to 0.67: the part of the scale in which photometry is at its best.
        label=LabelSpec(analyte="nitrite", unit="ug/L", range=(80.0, 350.0)),
        limits=(0.0, 2000.0),
        species=(
            Species(
                "azo dye of sulfanilamide and N-(1-naphthyl)ethylenediamine",
                (Band(546.0, 3.2e4, 2600.0), Band(508.0, 1.8e4, 4200.0)),
                _azo_dye,
            ),
        ),
        source=(
            "Peak at 540 nm and procedure: Standard Methods 4500-NO2- B. Coefficient: 4.61e4 L/(mol cm), "
            "Helaleh & Korenaga, J. AOAC Int. 84 (2001) 53, for a sulfonamide coupled to NED; such dyes lie "
            "at 4 to 5e4. Two bands add up to that: the spectrum is some 90 nm wide at half height and falls "
            "more slowly towards blue. Their widths are estimates"
        ),
    ),
    "brilliant-blue": Reaction(
        name="brilliant-blue",
        label=LabelSpec(analyte="brilliant blue FCF (E 133)", unit="mg/L", range=(0.3, 2.0)),
        limits=(0.0, 20.0),
        species=(
            Species(
                "brilliant blue FCF",
                (Band(630.0, 1.21e5, 1250.0), Band(585.0, 2.6e4, 1900.0), Band(409.0, 1.9e4, 3000.0)),
                _brilliant_blue,
            ),
        ),
        source=(
            "Regulation (EU) 231/2012, E 133: E(1 %, 1 cm) = 1630 at about 630 nm, times 79.285 g/mol. "
            "The shoulder and the violet band are estimates of the usual spectrum"
        ),
    ),
    "phenol-red": Reaction(
        name="phenol-red",
        label=LabelSpec(analyte="pH", unit="pH", range=(6.8, 8.4)),
        limits=(5.0, 11.0),
        species=(
            Species("phenol red, acid form HI-", (Band(433.0, 1.9e4, 4300.0),), _phenol_red_acid),
            Species("phenol red, base form I2-", (Band(558.0, 1.9e4 * 2.734, 2000.0),), _phenol_red_base),
        ),
        source=(
            "Peaks at 433 and 558 nm, their ratio 2.734 and pK 8.03: Yao & Byrne, Environ. Sci. Technol. 35 "
            "(2001) 1197. The coefficient of the acid form, with the dose, sets the depth of colour only; it "
            "and the widths are estimates"
        ),
    ),
}
"""Every reaction that can be simulated, by the name used on the command line."""
