/** The best that any of several systems gives: points that no other one beats both ways. */

export interface Placed {
  readonly x: number;
  readonly y: number;
}

/** Those that nothing is as far right and as high as, from left to right. */
export function frontier<Point extends Placed>(points: readonly Point[]): readonly Point[] {
  const best: Point[] = [];
  let high = Number.NEGATIVE_INFINITY;
  const sorted = points
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
    .sort((a, b) => b.x - a.x || b.y - a.y);
  for (const point of sorted) {
    if (point.y <= high) continue;
    high = point.y;
    best.push(point);
  }
  return best.reverse();
}
