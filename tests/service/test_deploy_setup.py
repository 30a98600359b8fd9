"""A shared installation is refused a storage that lets two writers win."""

import pytest

from deploy.setup import make_bucket
from models.domain.errors import BrokenError
from models.settings import Settings

pytestmark = pytest.mark.service


def test_a_bucket_is_made_where_one_writer_of_many_wins(s3_endpoint: str):
    settings = Settings(lake_url="s3://made-by-setup/lake", s3_endpoint_url=s3_endpoint)
    make_bucket(settings)
    make_bucket(settings)


def test_a_storage_that_overwrites_is_refused(overwriting_s3_endpoint: str):
    settings = Settings(lake_url="s3://made-by-setup/lake", s3_endpoint_url=overwriting_s3_endpoint)
    with pytest.raises(BrokenError, match="If-None-Match"):
        make_bucket(settings)


def test_a_lake_on_disk_needs_none(tmp_path):
    make_bucket(Settings(lake_url=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
