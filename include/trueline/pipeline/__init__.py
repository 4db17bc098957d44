"""The steps of a run: ingest, check, build, publish, plan the upload."""

from trueline.pipeline.build import BuildStillRunning, BuildSummary, build
from trueline.pipeline.check import GateSummary, check
from trueline.pipeline.ingest import IngestSummary, ingest, reject_load
from trueline.pipeline.load_records import LoadRecord
from trueline.pipeline.publish import PublishSummary, publish
from trueline.pipeline.upload import UploadPlan, plan_upload

__all__ = [
    "BuildStillRunning",
    "BuildSummary",
    "GateSummary",
    "IngestSummary",
    "LoadRecord",
    "PublishSummary",
    "UploadPlan",
    "build",
    "check",
    "ingest",
    "plan_upload",
    "publish",
    "reject_load",
]
