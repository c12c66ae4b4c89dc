"""Plots as SVG, few and plain enough to be written down."""

from html import escape

from reports import REPORTS

WIDTH, ROW, LABEL, VALUE = 640, 30, 90, 110


def bars(title: str, values: dict[str, float]) -> str:
    """A bar for each value, the longest as long as there is room."""
    most, height = max(values.values()), 50 + ROW * len(values)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14">',
        f'<title>{escape(title)}</title><rect width="100%" height="100%" fill="white"/>', f'<text x="10" y="25" font-weight="bold">{escape(title)}</text>',
    ]
    for row, (name, value) in enumerate(values.items()):
        y, length = 45 + ROW * row, max(1.0, value / most * (WIDTH - LABEL - VALUE))
        lines.append(
            f'<text x="10" y="{y + 15}">{escape(name)}</text><rect x="{LABEL}" y="{y}" width="{length:.1f}" height="20" fill="#b7410e"/>'
            f'<text x="{LABEL + length + 8:.1f}" y="{y + 15}">{value:.1f}</text>'
        )
    return "\n".join([*lines, "</svg>"]) + "\n"


def keep(name: str, plot: str) -> None:
    """Leaves a plot beside the reports."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.svg").write_text(plot)
