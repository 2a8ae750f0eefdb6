"""A bucket on an S3-compatible server of our own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fsspec import config as known
from moto.server import ThreadedMotoServer

from streams.recording.storage import open_folder


@contextmanager
def bucket(name: str) -> Iterator[dict[str, str]]:
    """A server with a bucket, to which s3:// leads in this process; yields the options by which others reach it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        options = {"endpoint_url": f"http://{host}:{port}", "key": "nobody", "secret": "nothing"}
        patch.setitem(known.conf, "s3", options)
        open_folder(f"s3://{name}").fs.mkdir(name)
        yield options
    server.stop()


def environment(options: dict[str, str]) -> dict[str, str]:
    """The same options as variables, for other processes."""
    return {f"FSSPEC_S3_{name.upper()}": value for name, value in options.items()}
