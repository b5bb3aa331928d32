/** A chart of frontiers in SVG: interactivity across, users up, both logarithmic. */

export interface Frontier {
  readonly name: string;
  readonly points: readonly { readonly users: number; readonly rate: number }[];
}

const WIDTH = 760;
const HEIGHT = 480;
const MARGIN = { left: 70, right: 20, top: 30, bottom: 50 };
const COLOURS = ["#8a8f98", "#d9480f", "#1c7ed6"];

export function frontierChart(frontiers: readonly Frontier[]): string {
  const edges = frontiers.map(({ points }) => frontierOf(points));
  const rates = edges.flat().map((point) => point.rate);
  const users = edges.flat().map((point) => point.users);
  const x = axis([Math.min(...rates), Math.max(...rates)], [MARGIN.left, WIDTH - MARGIN.right]);
  const y = axis([Math.min(...users), Math.max(...users)], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const ticks = (values: readonly number[]): readonly number[] =>
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000].filter(
      (tick) => tick >= Math.min(...values) && tick <= Math.max(...values),
    );
  const lines = edges.map((edge, index) => {
    const path = edge
      .map((point) => `${x(point.rate).toFixed(1)},${y(point.users).toFixed(1)}`)
      .join(" ");
    const colour = COLOURS[index % COLOURS.length];
    const label = `<text x="${MARGIN.left + 12}" y="${HEIGHT - MARGIN.bottom - 14 - 18 * index}" fill="${colour}">${frontiers[index]?.name ?? ""}</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${label}`;
  });
  const marks = [
    ...ticks(rates).map(
      (tick) =>
        `<text x="${x(tick)}" y="${HEIGHT - MARGIN.bottom + 18}" text-anchor="middle">${tick}</text><line x1="${x(tick)}" x2="${x(tick)}" y1="${MARGIN.top}" y2="${HEIGHT - MARGIN.bottom}" stroke="#e9ecef"/>`,
    ),
    ...ticks(users).map(
      (tick) =>
        `<text x="${MARGIN.left - 8}" y="${y(tick) + 4}" text-anchor="end">${tick}</text><line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(tick)}" y2="${y(tick)}" stroke="#e9ecef"/>`,
    ),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    ...marks,
    ...lines,
    `<text x="${WIDTH / 2}" y="${HEIGHT - 10}" text-anchor="middle">interactivity: tokens/s that one user gets</text>`,
    `<text x="16" y="${HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 16 ${HEIGHT / 2})">users served</text>`,
    "</svg>",
    "",
  ].join("\n");
}

/** Points that no other beats in both, by rising rate. */
function frontierOf(points: Frontier["points"]): Frontier["points"] {
  const best: { users: number; rate: number }[] = [];
  for (const point of [...points].sort((a, b) => b.rate - a.rate)) {
    if (point.users > (best[best.length - 1]?.users ?? 0)) best.push(point);
  }
  return best.reverse();
}

function axis(
  from: readonly [number, number],
  to: readonly [number, number],
): (value: number) => number {
  const [low, high] = [Math.log(from[0]), Math.log(from[1])];
  return (value) => to[0] + ((Math.log(value) - low) / (high - low)) * (to[1] - to[0]);
}
