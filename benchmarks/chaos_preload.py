"""What a scan imports, imported once in the server that scans are forked from."""

import importlib
import warnings

# Its event loop is made anew in the forked process, and nothing is under way in the server.
warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)

for _name in (
    "datasketch",
    "faiss",
    "lancedb",
    "open_clip",
    "pdqhash",
    "pipeline.cli",
    "pipeline.stages.image.embedding_model",
    "pipeline.report.page",
    "pipeline.scan.run",
    "pipeline.cli.terminal.scan",
    "pipeline.screening.screen",
    "pypdfium2",
    "torch",
):
    importlib.import_module(_name)
