"""Is a delivered report still what was delivered, and does its evidence still make it? For checks and the console."""

from collections.abc import Sequence
from contextlib import closing

from data_platform.errors import PermanentError
from data_platform.lake.evidence import fingerprint
from data_platform.lake.store import NoSuchObject, Store
from data_platform.publish.delivered import DeliveredFile, DeliveryDamaged, Manifest, manifest_of
from data_platform.publish.delivery import Maker, booked


def faults_of_stored(store: Store, files: Sequence[DeliveredFile]) -> list[str]:
    """What of delivered files, or of their manifest, is not as the books say; one sentence each."""
    return [fault for file in files if (fault := _fault_of_stored(store, file))]


def _fault_of_stored(store: Store, file: DeliveredFile) -> str | None:
    try:
        manifest = manifest_of(store, file)
        if fingerprint(store.read(file.manifest_key))[0] != file.manifest_sha256:
            return f"{file.manifest_key} is not as it was delivered"
        for listed in manifest.files:
            if listed.report_id == file.report_id:
                others = [
                    name for name, value in booked(store, manifest, listed).items() if getattr(file, name) != value
                ]
                if others:
                    return f"the row of {file.report_id} has another {others[0]} than {file.manifest_key}"
                sha256, num_bytes = fingerprint(store.read(listed.key))
                return (
                    f"{listed.key} has {num_bytes:,} bytes that are not the {file.num_bytes:,} delivered"
                    if sha256 != file.sha256
                    else None
                )
    except (NoSuchObject, DeliveryDamaged) as error:
        return str(error)
    return f"{file.manifest_key} does not name {file.report_id}"


def faults_of_made(manifest: Manifest, maker: Maker) -> list[str]:
    """What of a delivery its evidence and definition do not make again; one sentence each."""
    try:
        made = maker.make(manifest.definition, manifest.sources)
    except PermanentError as error:
        return [str(error)]
    with closing(made):
        contents = {file.format: fingerprint(file.chunks())[0] for file in made.files}
    others = [file.key for file in manifest.files if contents.get(file.format) != file.sha256]
    why = [
        f"{library} {made.made_with.get(library)} instead of {was}"
        for library, was in manifest.made_with.items()
        if made.made_with.get(library) != was
    ]
    because = f", with {' and '.join(why)}" if why else ""
    faults = [f"{key} comes out otherwise{because}" for key in others]
    if [*made.sources] != [*manifest.sources]:
        faults.append("the evidence does not hold the rows that were counted")
    return faults
