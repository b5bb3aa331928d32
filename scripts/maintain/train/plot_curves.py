"""Draws the runs' curves as an SVG for the model card: training loss and dev bits per byte over tokens."""

import argparse
import json
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 300, 46, 36, 24, 12
COLOURS = ["#1f6feb", "#d1541f"]


def smooth(points, share=0.85):
    """points: [(x, y)] → the same with an exponential mean over y."""
    mean, out = points[0][1], []
    for x, y in points:
        mean = share * mean + (1 - share) * y
        out.append((x, mean))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", nargs="+", metavar="LABEL=curve.json")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    drawn, furthest = [], 1.0
    for pair in options.curves:
        label, _, path = pair.partition("=")
        curve = json.loads(Path(path).read_text())
        dev = [(p["tokens"] / 1e6, p["dev_bits_per_byte"]) for p in curve if "dev_bits_per_byte" in p]
        loss = smooth([(p["tokens"] / 1e6, p["loss"]) for p in curve])
        drawn.append((label, dev, loss))
        furthest = max(furthest, curve[-1]["tokens"] / 1e6)
    low, high = 0.5, 1.5
    loss_low, loss_high = 0.5, 4.5

    def place(x, y, bottom, top):
        along = LEFT + x / furthest * (WIDTH - LEFT - RIGHT)
        up = min(1.0, max(0.0, (y - bottom) / (top - bottom)))
        return f"{along:.1f},{HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for step in range(6):
        value = low + (high - low) * step / 5
        x, y = place(0, value, low, high).split(",")
        parts.append(f'<path d="M{x},{y}H{WIDTH - RIGHT}" stroke="#ddd"/><text x="{LEFT - 6}" y="{float(y) + 4}" text-anchor="end">{value:.1f}</text>')
    tick = max(1, round(furthest / 8))
    for million in range(0, int(furthest) + 1, tick):
        x = place(million, low, low, high).split(",")[0]
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{million} M</text>')
    for number, (label, dev, loss) in enumerate(drawn):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(place(x, y, loss_low, loss_high) for x, y in loss)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-opacity="0.3"/>')
        line = " ".join(place(x, y, low, high) for x, y in dev)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{WIDTH - RIGHT - 4}" y="{TOP + 14 * number + 10}" text-anchor="end" fill="{colour}">{label}</text>')
    parts.append(f'<text x="{LEFT}" y="14">bits per byte on dev stories (bold); training loss, nats, 0.5 to 4.5 over the same height (pale)</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">tokens read</text></svg>')
    options.out.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
