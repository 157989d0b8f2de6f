"""Is a delivered report still what was delivered, and does its evidence still make it? For checks and the console."""

from collections.abc import Sequence
from contextlib import closing

from data_platform.lake.evidence import fingerprint
from data_platform.lake.store import NoSuchObject, Store
from data_platform.publish.delivered import DeliveredFile, DeliveryDamaged, Manifest, manifest_of
from data_platform.publish.delivery import Maker


def faults_of_stored(store: Store, files: Sequence[DeliveredFile]) -> list[str]:
    """What of delivered files, or of their manifest, is not as the books say; one sentence each."""
    faults: list[str] = []
    for file in files:
        try:
            [listed] = [f for f in manifest_of(store, file).files if f.report_id == file.report_id] or [None]
            if listed is None or (listed.sha256, listed.num_rows) != (file.sha256, file.num_rows):
                faults.append(f"{file.manifest_key} does not name {file.report_id} as the books do")
                continue
            sha256, num_bytes = fingerprint(store.read(listed.key))
            if sha256 != file.sha256:
                faults.append(f"{listed.key} has {num_bytes:,} bytes that are not the {file.num_bytes:,} delivered")
        except (NoSuchObject, DeliveryDamaged) as error:
            faults.append(str(error))
    return faults


def faults_of_made(manifest: Manifest, maker: Maker) -> list[str]:
    """What of a delivery its evidence and definition do not make again; one sentence each."""
    with closing(maker.make(manifest.definition, manifest.sources)) as made:
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
