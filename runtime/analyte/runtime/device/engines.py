"""Engine and providers of a profile: installed, in which version, and able to start."""

from __future__ import annotations

import importlib
import importlib.metadata

from analyte.contract.errors import AnalyteError, UnavailableError
from analyte.contract.profile import DeviceProfile
from analyte.contract.sections.engine import EngineSection
from analyte.runtime.device.finding import Finding, missing, ok, refused, warning
from analyte.runtime.engines.registry import ENGINES, open_from_profile

_NO_FILE = "no file"


def check_engine(profile: DeviceProfile) -> list[Finding]:
    """Import the engine and start each provider without a model; installs and downloads nothing."""
    section = profile.engine
    entry = ENGINES[section.name]
    extra = entry.extras.get(section.provider, entry.extras[""])
    installed, errors = "", []
    for library in entry.libraries:
        try:
            importlib.import_module(library)
        except ModuleNotFoundError:
            continue
        except ImportError as error:
            errors.append(f"{library}: {error}")
            continue
        installed = f"{library} {_version(library)}"
        break
    if not installed:
        said = "; ".join(errors) or f"{section.name}: {' or '.join(entry.libraries)} is not installed"
        return [missing("engine", said, f"pip install 'analyte[{extra}]'", UnavailableError)]
    return [ok("engine", f"{section.name}: {installed}"), *_check_providers(section)]


def _check_providers(section: EngineSection) -> list[Finding]:
    """Return one line per provider. One that is not there and has a fallback that is there only warns."""
    wanted = (section.provider, *section.fallback)
    absent = [_absence(section, provider) for provider in wanted]
    stands_in = next((p for p, error in zip(wanted, absent, strict=True) if error is None), None)
    found: list[Finding] = []
    for provider, error in zip(wanted, absent, strict=True):
        check = "provider" if provider == section.provider else "fallback"
        if error is None:
            found.append(ok(check, f"{provider} is there"))
        elif stands_in is None and check == "provider":
            found.append(refused(check, error))
        else:
            instead = "" if stands_in is None else f"; {stands_in} would run, as fallback allows"
            found.append(warning(check, f"{error.what}{instead}", error.fix))
    return found


def _absence(section: EngineSection, provider: str) -> AnalyteError | None:
    """Return why a provider cannot start, at no more cost than its libraries' import; None where it can."""
    changes: dict[str, object] = {"provider": provider, "fallback": ()}
    if provider != section.provider:
        changes |= {"delegate": None, "provider_options": {}}
    try:
        open_from_profile(b"", section.model_copy(update=changes), lambda text: None, where=_NO_FILE).close()
    except AnalyteError as error:
        # One that names the file found all that it needs to open it.
        return error if error.where is None else None
    return None


def _version(library: str) -> str:
    module = importlib.import_module(library)
    version = getattr(module, "__version__", None)
    if version is not None:
        return str(version)
    for distribution in importlib.metadata.packages_distributions().get(library, ()):
        return importlib.metadata.version(distribution)
    return "unknown"
