"""The figures as bars, in an SVG written by hand: nothing to install, and a diff shows what
changed."""

from html import escape

from .report import number

WIDTH, LABELS, VALUES = 760, 170, 90
BAR, GAP, TITLE = 16, 6, 30

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .ours { fill: #f05138 }
  .peer { fill: #8c959f }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .peer { fill: #6e7681 } }"""


def svg(figures):
    """One panel for each subject: our bar and below it those of the peers."""
    panels = {}
    for figure in figures:
        bars = panels.setdefault(f"{figure.subject} ({figure.unit})", [(figure.label, figure.ours, "ours")])
        if figure.peer:
            bars.append((figure.peer, figure.theirs, "peer"))

    parts, y = [], 0
    for title, bars in panels.items():
        parts.append(f'<text class="title" x="0" y="{y + TITLE - 10}">{escape(title)}</text>')
        y += TITLE
        longest = max(value for _, value, _ in bars)
        for name, value, kind in bars:
            length = max(1, (WIDTH - LABELS - VALUES) * value / longest) if value else 1
            parts += [
                f'<text x="{LABELS - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>',
                f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}"/>',
                f'<text x="{LABELS + length + 6:.1f}" y="{y + 12}">{number(value)}</text>',
            ]
            y += BAR + GAP
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">\n'
            f"<style>{STYLE}\n</style>\n{body}\n</svg>\n")
