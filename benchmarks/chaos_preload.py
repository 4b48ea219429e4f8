"""What a scan imports, imported once in the server that scans are forked from."""

import importlib
import warnings

# Its event loop is made anew in the forked process, and nothing is under way in the server.
warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)

for _name in (
    "datasketch",
    "docx",
    "faiss",
    "lancedb",
    "open_clip",
    "pdqhash",
    "pipeline.cli",
    "pipeline.embedding_model",
    "pipeline.report",
    "pipeline.scan.run",
    "pipeline.scan_terminal",
    "pipeline.screening",
    "pypdfium2",
    "torch",
):
    importlib.import_module(_name)
