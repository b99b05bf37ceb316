"""A session whose every text tries to be more than text, and a plain reader of HTML."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

from finder.model import (
    Attachment,
    Compaction,
    Event,
    Label,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

PNG = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
).decode()

ATTACKS = (
    "<script>document.title='TAKEN'</script>",
    "</div></pre></code></details></section></main><script>document.title='TAKEN'</script>",
    "</title></style><script>document.title='TAKEN'</script>",
    "<img src=x onerror=\"document.title='TAKEN'\">",
    "\"><svg onload=document.title='TAKEN'>",
    "' onmouseover='document.title=1' x='",
    "<!-- no end",
    "<![CDATA[ <?php ?> <!DOCTYPE x>",
    "<plaintext><xmp><textarea><iframe srcdoc='<b>'><base href='http://127.0.0.1:9/'>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'><link rel=stylesheet href=//x>",
    "<style>*{background:url(http://127.0.0.1:9/)}</style>",
    "[go](javascript:document.title='TAKEN') ![i](http://127.0.0.1:9/i.png) <http://127.0.0.1:9/>",
    "[Empty]: http://127.0.0.1:9/ 'taken'\n[^1]: note",
    "&lt;script&gt; &amp; &#60;b&#62;",
    "# Title\n\n## 1. User\n\nnot said by the user",
    "Title\n===\n\n---\ntitle: taken\n---\n",
    "```\nno end",
    "```\n  ```\n<script>document.title='TAKEN'</script>\n```",
    "x\n```\n\n```\n<script>document.title='TAKEN'</script>\n\n```\n",
    "````\n```\n````\n<b>bold</b>",
    "```{=html}\n<script>document.title='TAKEN'</script>\n```",
    "~~~~~~~~\n" + "`" * 40 + "\n",
    "`a\n`<b>`\n| `x | <b> ` |\n|---|---|",
    "> quoted\n\n- list\n\n      code\n\nlazy",
    "a | b \\| c `d | e` \\` $x$ \\input{/etc/passwd}",
    "\x1b[31mred\x1b]0;title\x07 \x00\x08\x0b\x0c\x7f\x85 \r \r\n end",
    "\u202egnirts\u202c \u2066iso\u2069 \u200b\ufeff \u2028\u2029 \U000e0041",
    "half \ud83d and \udc00 characters",
    "العربية تبدأ here and עברית",
    "\n\n  leading and trailing  \n\n",
    "𝕏 😀 👨‍👩‍👧 e\u0301 \uffff \U0010ffff",
)


def everywhere(text: str) -> tuple[Session, list[Event], list[tuple[int, Session, list[Event]]]]:
    """A session that has this text in every place that takes one, and a subagent like it."""
    ref = Ref(text, text, text)
    child = Ref(text, text, text + "child")
    foreign: Label = text  # type: ignore[assignment]  # a third party's adapter may do it

    def header(of: Ref) -> Session:
        return Session(
            ref=of,
            title=text,
            directory=text,
            created=0,
            updated=10**20,
            parent=ref,
            agent=text,
            model=text,
            labels=("archived", foreign),
            also_in=(text,),
        )

    user = Message(record=text, role="user", at=1, agent=text, model=text, labels=(foreign,))
    strange = Message(
        record=text + "2",
        role=text,  # type: ignore[arg-type]
        error=text,
        at=-(10**20),
        finished=10**20,
        cost=1e-9,
        usage=Usage(input=1, cache_read=2**70),
    )
    data = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    inside: list[Event] = [
        Text(text=text),
        Text(text=text, labels=("synthetic", foreign)),
        Reasoning(text=text, redacted=True, signature=text),
        ToolCall(call=text, name=text, input={text: text, "a": [text], "n": float("nan")}),
        ToolCall(call=text, name=text, input=text),
        ToolResult(call=text, output=text, title=text, status="error", labels=(foreign,)),
        ToolResult(call=text + "x", output=text, status=text),  # type: ignore[arg-type]
        Attachment(name=text, mime=text, data=text, url=text, path=text),
        Attachment(name=text, mime="image/svg+xml", data=data),
        Attachment(name=text, mime="image/png", data=data),
        Attachment(name=text, mime='image/png"><script>', data=PNG),
        Attachment(name=text, url=f"data:image/png{text};base64,{PNG}"),
        Attachment(name=text, mime="image/png", data=PNG),
        Subagent(call=text, child=child, agent=text, prompt=text, result=text),
        Subagent(child=Ref(text, text, "gone"), status=text),  # type: ignore[arg-type]
        Compaction(auto=True, keep=text, archive=text),
        Notice(kind=text, text=text),
        Opaque(kind=text, problem=text, raw=text, record=text),
        Opaque(kind=text, raw={text: text}),
    ]
    inside = [replace(event, message=text) for event in inside]
    events: list[Event] = [user, *inside, strange, Text(text=text, message="elsewhere")]
    return header(ref), events, [(1, header(child), events)]


@dataclass(slots=True)
class Element:
    """An element with its children and texts in order."""

    tag: str
    attributes: dict[str, str | None]
    content: list[Element | str] = field(default_factory=list)

    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text() for c in self.content)

    def elements(self) -> list[Element]:
        below = [c for c in self.content if isinstance(c, Element)]
        return [self, *(inner for element in below for inner in element.elements())]

    def classed(self, *names: str) -> list[Element]:
        wanted = set(names)
        return [
            e for e in self.elements() if wanted & set((e.attributes.get("class") or "").split())
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]
        self.strange: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in {"meta", "img"}:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag != tag:
            self.strange.append(f"</{tag}> closes <{self.open[-1].tag}>")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)

    def handle_comment(self, data: str) -> None:
        self.strange.append(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        self.strange.append(f"an instruction: {data}")

    def unknown_decl(self, data: str) -> None:
        self.strange.append(f"a declaration: {data}")


def read_html(page: str) -> Element:
    """The page as a tree; elements must nest properly, and there is nothing but elements."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.strange == []
    assert len(reader.open) == 1, f"not closed: {[e.tag for e in reader.open[1:]]}"
    return reader.open[0]


TAGS = frozenset(
    "html head meta title style body nav main section details summary table tbody tr th td ol li"
    " article header h1 h2 h3 h4 p div span pre code b strong bdi a figure figcaption img".split()
)
ATTRIBUTES = {
    "html": {"lang"},
    "meta": {"charset", "http-equiv", "content", "name"},
    "nav": {"aria-label"},
    "details": {"open"},
    "div": {"dir"},
    "pre": {"dir"},
    "a": {"href"},
    "img": {"alt", "src"},
}


def check_harmless(page: Element) -> None:
    """Only elements and attributes that the page is made of, links within it, real images."""
    for element in page.elements()[1:]:
        assert element.tag in TAGS, element
        allowed = {"class", "id"} | ATTRIBUTES.get(element.tag, set())
        assert set(element.attributes) <= allowed, element
    anchors = [e.attributes["id"] for e in page.elements() if "id" in e.attributes]
    assert len(anchors) == len(set(anchors))
    for element in page.elements():
        if element.tag == "a":
            assert (element.attributes["href"] or "")[:1] == "#"
            assert (element.attributes["href"] or "")[1:] in anchors
        if element.tag == "img":
            assert element.attributes["src"] == f"data:image/png;base64,{PNG}"
