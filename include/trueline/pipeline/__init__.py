"""The steps of a run: ingest, check, build, publish, plan the upload."""

from trueline.pipeline.build import BuildStillRunning, BuildSummary, build
from trueline.pipeline.check import GateSummary, check
from trueline.pipeline.ingest import IngestSummary, ingest
from trueline.pipeline.load_records import LoadRecord
from trueline.pipeline.loads import decide_load
from trueline.pipeline.move import MoveSummary, move_history
from trueline.pipeline.publish import PublishSummary, publish
from trueline.pipeline.upload import UploadPlan, plan_upload

__all__ = [
    "BuildStillRunning",
    "BuildSummary",
    "GateSummary",
    "IngestSummary",
    "LoadRecord",
    "MoveSummary",
    "PublishSummary",
    "UploadPlan",
    "build",
    "check",
    "decide_load",
    "ingest",
    "move_history",
    "plan_upload",
    "publish",
]
