"""The literal part of PowerShell's data files, and everything that is none."""

import pytest

from orchestrator.lab.jea.datafile import DataFileInvalid, ScriptBlock, Table, parse


def plain(value):
    if isinstance(value, Table):
        return {value.names[key]: plain(item) for key, item in value.entries.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("@{}", {}),
        ("# a comment\n@{ } # another\n", {}),
        ("\ufeff@{ A = 1 }", {"A": 1}),
        ("@{ A = 'x'; B = \"y\" }", {"A": "x", "B": "y"}),
        ("@{\r\n  A = -7\r\n  'B c' = $true\r\n}", {"A": -7, "B c": True}),
        ("@{ A = $False; B = $null }", {"A": False, "B": None}),
        ("@{ A = 'it''s'; B = '#@{' }", {"A": "it's", "B": "#@{"}),
        ("@{ A = 'one',\n 'two' }", {"A": ["one", "two"]}),
        ("@{ A = @('one'\n'two'; 'three') }", {"A": ["one", "two", "three"]}),
        ("@{ A = @() }", {"A": []}),
        ("@{ A = @(@{ B = 1 }, @{ B = 2 }) }", {"A": [{"B": 1}, {"B": 2}]}),
        ("@{ A =\n 1 }", {"A": 1}),
        ("@{ <# a\nb #> A = 1 }", {"A": 1}),
        ("@{ A = {} }", {"A": ScriptBlock("", 1)}),
    ],
)
def test_what_is_literal_is_read(text, means):
    assert plain(parse(text, "x.psrc")) == means


def test_a_script_block_is_text_up_to_its_own_brace():
    text = "@{\n  A = { if ($x) { '}' } # }\n }\n  B = 2\n}"
    found = parse(text, "x.psrc")
    assert found.get("a") == ScriptBlock(" if ($x) { '}' } # }\n ", 2)
    assert found.get("B") == 2


def test_keys_are_found_in_any_case():
    assert parse("@{ VisibleCmdlets = 'a' }", "x").get("visiblecmdlets") == "a"


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "literal value"),
        ("'text'", 1, "one hashtable"),
        ("@{ A = 1 } B", 1, "nothing may follow"),
        ("@{\n A = 1\n a = 2\n}", 3, "stands twice"),
        ("@{\n A = $env:X\n}", 2, "literal value"),
        ('@{\n A = "$x"\n}', 2, "literal value"),
        ("@{\n A = Get-Date\n}", 2, "literal value"),
        ("@{\n A = 1 + 1\n}", 2, "expected a new line"),
        ("@{\n A = 'no end\n}", 2, "literal value"),
        ("@{\n A = {\n", 2, "no end"),
        ("@{\n A = 1", 2, "inside what line 1 opens"),
        ("@{\n A = @(1\n}", 3, "literal value"),
        ("@{\n A\n}", 2, "expected ="),
        ("@{\n A = 1 B = 2\n}", 2, "expected a new line"),
        ("@{\n @{ B = 1 }\n}", 2, "expected a key"),
        ("@{ A = " + "@(" * 50, 1, "nested too deeply"),
    ],
)
def test_everything_else_is_refused_with_its_line(text, line, why):
    with pytest.raises(DataFileInvalid, match=why) as caught:
        parse(text, "some.psrc")
    assert str(caught.value).startswith(f"some.psrc:{line}: ")
