"""What `_ext/access.py` mends in the pages; that nothing is left to mend, axe-core says in tests/test_pages.py."""

import access
import pytest

PARAMETER = '<em class="sig-param">{}</em>,'


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ('<tr><th></th><th class="blank">&nbsp;</th></tr>', '<tr><td></td><td class="blank"></td></tr>'),
        ("<th>a</th><thead></thead>", "<th>a</th><thead></thead>"),
        ('<div class="citation" role="doc-biblioentry">', '<div class="citation" role="listitem">'),
        (
            f"<dl>\n<dd>{PARAMETER.format('a')}</dd>\n<dd>{PARAMETER.format('b')}</dd>\n</dl>",
            f'<span class="sig-param-line">{PARAMETER.format("a")}</span>\n'
            f'<span class="sig-param-line">{PARAMETER.format("b")}</span>\n',
        ),
        (
            "<dl>\n<dt>a term</dt><dd>and what it means</dd>\n</dl>",
            "<dl>\n<dt>a term</dt><dd>and what it means</dd>\n</dl>",
        ),
        ('<summary aria-label="Toggle hidden content">', "<summary>"),
        (
            '<div id="pst-primary-sidebar" class="bd-sidebar">',
            '<div id="pst-primary-sidebar" role="complementary" aria-label="The book" class="bd-sidebar">',
        ),
    ],
)
def test_faults_are_mended_and_nothing_else(written, mended):
    assert access.mend(written) == mended
    assert access.mend(mended) == mended
