"""Final Draft: the paragraphs of the script in order, without title page and notes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from load_samples import content, final_draft, reason

from pipeline.core.errors import Reason
from pipeline.load.limits import Limits
from pipeline.load.loaded import Span
from pipeline.load.script.fdx import read_fdx


def paragraphs(*pairs):
    return "".join(
        f'<Paragraph Type="{kind}"><Text>{text}</Text></Paragraph>' for kind, text in pairs
    )


SCENE = paragraphs(
    ("Scene Heading", "INT. KITCHEN - NIGHT"), ("Action", "Tea &amp; cake."), ("Character", "ANNA"),
    ("Dialogue", "It’s cold. 語 🎬"),
)  # fmt: skip
TEXT = "INT. KITCHEN - NIGHT\nTea & cake.\nANNA\nIt’s cold. 語 🎬"


def test_one_paragraph_a_line(read):
    script = read("a.fdx", final_draft(SCENE))
    assert script.text == TEXT
    assert script.spans == (
        Span(0, 20, "scene heading"),
        Span(21, 32, "action"),
        Span(33, 37, "character"),
        Span(38, 52, "dialogue"),
    )
    assert (script.format, script.encoding, script.notes) == ("fdx", None, ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_that_the_file_states(read, encoding):
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    data = final_draft(paragraphs(("Action", "Élan")), head).decode().encode(encoding)
    assert read("a.fdx", data).text == "Élan"


def test_styled_pieces_are_one_paragraph(read):
    body = (
        '<Paragraph Type="Action"><Text>Anna </Text><Text Style="Bold">shouts</Text>'
        '<Text RevisionID="1">.</Text></Paragraph>'
    )
    assert content(read("a.fdx", final_draft(body))) == ["Anna shouts."]


def test_dual_dialogue(read):
    dual = f"<Paragraph><DualDialogue>{SCENE}</DualDialogue></Paragraph>"
    assert read("a.fdx", final_draft(dual)).text == TEXT


def test_speeches_of_dual_dialogue_keep_their_elements_and_their_order(read):
    speech = (
        '<Paragraph Type="Character"><Text>{}</Text></Paragraph>'
        '<Paragraph Type="Dialogue"><Text>{}</Text></Paragraph>'
    )
    both = speech.format("JOHN", "Hello.") + speech.format("MARY", "Good bye.")
    before, after = (f'<Paragraph Type="Action"><Text>{one}</Text></Paragraph>' for one in "AB")
    dual = f"{before}<Paragraph><DualDialogue>{both}</DualDialogue></Paragraph>{after}"
    script = read("a.fdx", final_draft(dual))
    assert [(span.element, script.text[span.start : span.end]) for span in script.spans] == [
        ("action", "A"),
        ("character", "JOHN"),
        ("dialogue", "Hello."),
        ("character", "MARY"),
        ("dialogue", "Good bye."),
        ("action", "B"),
    ]


def test_title_page_notes_and_headers_are_left_out(read):
    body = (
        '<Paragraph Type="Scene Heading"><SceneProperties><Summary><Paragraph><Text>A summary'
        "</Text></Paragraph></Summary></SceneProperties><Text>INT. HALL</Text>"
        "<ScriptNote><Paragraph><Text>A note</Text></Paragraph></ScriptNote></Paragraph>"
        "<Paragraph/><Paragraph><Text> </Text></Paragraph>"
    )
    data = final_draft(body).replace(
        b"</FinalDraft>",
        b"<TitlePage><Content><Paragraph><Text>A title</Text></Paragraph></Content></TitlePage>"
        b"<HeaderAndFooter><Header><Paragraph><Text>A header</Text></Paragraph></Header>"
        b"</HeaderAndFooter></FinalDraft>",
    )
    assert read("a.fdx", data).text == "INT. HALL"


ATTACKS = {
    "entities that grow": '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>',
    "an entity that reads a file": '<!DOCTYPE l [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    "a parameter entity": '<!DOCTYPE l [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]>',
    "an outside document type": '<!DOCTYPE l SYSTEM "http://127.0.0.1/x.dtd">',
    "only a document type": "<!DOCTYPE FinalDraft>",
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_and_entities_are_refused(read, attack, encoding):
    entity = "&b;" if "ENTITY b" in ATTACKS[attack] else "words"
    head = f'<?xml version="1.0" encoding="{encoding}"?>{ATTACKS[attack]}'
    data = final_draft(paragraphs(("Action", entity)), head).decode().encode(encoding)
    result = read("a.fdx", data)
    assert reason(result) is Reason.CORRUPT
    assert "DTD" in result.detail


@pytest.mark.parametrize(
    "data",
    [
        final_draft(SCENE)[:-20],
        final_draft(SCENE)[:100],
        final_draft("<Paragraph><Text>&unknown;</Text></Paragraph>"),
        final_draft("<Paragraph><Text>&#xD800;</Text></Paragraph>"),
        final_draft("<Paragraph><Text>&#0;</Text></Paragraph>"),
        final_draft("<Paragraph><Text>\xff</Text></Paragraph>").replace(b"\xc3\xbf", b"\xff"),
        final_draft(SCENE, '<?xml version="1.0" encoding="no-such-encoding"?>'),
        final_draft(SCENE, '<?xml version="1.0" encoding="utf-7"?>'),
        b"<Screenplay><Content/></Screenplay>",
        b"<a\x1b[2J/>",
        b"words",
        b"\0\0\0",
    ],
)
def test_damage_is_refused(read, data):
    assert reason(read("a.fdx", data)) is Reason.CORRUPT


@pytest.mark.parametrize("body", ["", "<Paragraph/>", "<Paragraph><Text>  </Text></Paragraph>"])
def test_a_script_without_words(read, body):
    assert reason(read("a.fdx", final_draft(body))) is Reason.NO_TEXT


xml_text = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<&>\ufffe\uffff"), min_size=1
)


@given(st.lists(xml_text, min_size=1, max_size=6))
def test_every_paragraph_comes_out_as_it_was(texts):
    import io

    data = final_draft(paragraphs(*(("Action", text) for text in texts)))
    expected = [text for text in texts if text.strip()]
    story = read_fdx(io.BytesIO(data), Limits())
    assert story.text == "\n".join(expected)
    assert [story.text[span.start : span.end] for span in story.spans] == expected
