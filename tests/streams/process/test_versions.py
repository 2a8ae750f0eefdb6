import json

from streams.process.versions import PACKAGES, cpus, versions


def test_versions_are_plain_data_of_every_package():
    known = json.loads(json.dumps(versions()))
    assert set(PACKAGES) < known.keys()
    assert known["cpus"] == cpus() >= 1
