"""The notebooks run from top to bottom, and the .ipynb files are those of the sources."""

import os
from pathlib import Path

import jupytext
import pytest

import pipeline
from pipeline.screening.register import add_works, create_index

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))


def test_there_are_notebooks():
    assert [file.stem for file in SOURCES] == ["calibrate_thresholds", "explore_flagged"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.stem)
def test_the_notebook_file_is_made_of_its_source(source):
    def cells(file):
        return [(cell.cell_type, cell.source) for cell in jupytext.read(file).cells]

    assert cells(source) == cells(source.with_suffix(".ipynb"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.stem)
def test_the_notebook_file_holds_no_results(source):
    for cell in jupytext.read(source.with_suffix(".ipynb")).cells:
        assert not cell.get("outputs")


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.stem)
def test_notebooks_use_only_the_public_api(source):
    lines = [line for line in source.read_text().splitlines() if "import" in line]
    ours = [line for line in lines if "pipeline" in line or "reference_index" in line]
    assert ours == ["from pipeline import load_run"]


@pytest.fixture(scope="module")
def results(tmp_path_factory, photos):
    folder = tmp_path_factory.mktemp("run")
    for name in ("works", "drop"):
        (folder / name).mkdir()
    text = "INT. HALL - NIGHT\n\nANNA\n" + " ".join(f"word{n}" for n in range(60)) + "\n"
    (folder / "works" / "hall.fountain").write_text(text)
    (folder / "drop" / "lifted.txt").write_text(f"Some other words.\n\n{text}")
    for name in ("chelsea", "coffee"):
        photos[name].save(folder / "works" / f"{name}.png")
    photos["chelsea"].rotate(8).save(folder / "drop" / "turned.jpg")
    photos["rocket"].save(folder / "drop" / "rocket.jpg")
    (folder / "truth.csv").write_text(
        "asset_path,work_id\nturned.jpg,chelsea.png\nrocket.jpg,\nlifted.txt,hall.fountain\n"
    )
    create_index(folder / "index")
    add_works(folder / "index", folder / "works")
    run = pipeline.screen(folder / "drop", folder / "index", folder / "out")
    assert len(run.table) == 3
    assert len(run.flagged) == 2
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.stem)
def test_a_notebook_runs_from_top_to_bottom(source, results, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("CLEARANCE_RUN", str(results / "out"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
    )
    notebook = jupytext.read(source.with_suffix(".ipynb"))
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    pages = "".join(out.data.get("text/html", "") for out in outputs if "data" in out)
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert not [out for out in outputs if out.output_type in ("error", "stream")]
    assert pictures
    if source.stem == "explore_flagged":
        assert "lifted.txt" in pages
        assert "<mark>" in pages
        assert "data:image/png;base64," in pages
    else:
        assert "were copies" in pages


def test_what_is_public_is_there_and_nothing_else():
    assert pipeline.__all__ == ["Run", "load_run", "screen"]
    for name in pipeline.__all__:
        assert getattr(pipeline, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pipeline.nothing  # noqa: B018
