/** The points that are looked at: from files of `trainyard sweep`, and what is asked of them. */
import { computed, signal } from "@preact/signals";
import { INTERACTIVITY, type Point, seriesOf, usersAt } from "../../../../scripts/report/point.ts";
import { labelled } from "../../../../scripts/report/series.ts";

const loaded = signal<readonly Point[]>([]);
/** Named, and in the order that tables and lines want: by line, then by users. */
export const points = computed(() =>
  [...labelled(loaded.value)].sort(
    (a, b) => a.series.localeCompare(b.series) || a.concurrency - b.concurrency,
  ),
);
export const failures = signal<readonly string[]>([]);

/** What an answer promises; undefined: nothing is asked. */
export interface Asked {
  /** tokens/s/user, as InferenceX defines it */
  readonly pace: number;
  /** ms at the 99th percentile */
  readonly ttft: number | undefined;
}

/** Takes in what the files hold; each file that holds no point is named. */
export async function openFiles(files: Iterable<File>): Promise<void> {
  const found: Point[] = [];
  const failed: string[] = [];
  for (const file of files) {
    try {
      const its = pointsIn(JSON.parse(await file.text()) as unknown);
      if (its.length === 0) failed.push(`${file.name} holds no point of a sweep.`);
      found.push(...its);
    } catch (error) {
      failed.push(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  loaded.value = [...loaded.value, ...found];
  failures.value = failed;
}

export function forget(): void {
  loaded.value = [];
  failures.value = [];
}

/** A file of `points/`, a list of such, or a list of points. */
export function pointsIn(body: unknown): readonly Point[] {
  if (Array.isArray(body)) return body.flatMap(pointsIn);
  if (typeof body !== "object" || body === null) return [];
  const { trainyard } = body as { trainyard?: { point?: unknown } };
  const point = trainyard?.point ?? body;
  return isPoint(point) ? [point] : [];
}

function isPoint(value: unknown): value is Point {
  const { identity, latency, concurrency } = value as Partial<Point>;
  return (
    typeof identity === "object" && typeof latency === "object" && typeof concurrency === "number"
  );
}

export interface Reading {
  readonly series: string;
  /** Between the points around the pace; undefined: they do not enclose it. */
  readonly users: number | undefined;
  /** Output tokens/s of so many users at that pace. */
  readonly outputThroughput: number | undefined;
  /** Most users of a point that keeps the pace and the first token's promise. */
  readonly keeps: Point | undefined;
}

/** Every line read at one pace. */
export function readAt(all: readonly Point[], { pace, ttft }: Asked): readonly Reading[] {
  return seriesOf(all).map((series) => {
    const its = all.filter((point) => point.series === series);
    const users = usersAt(its, pace);
    const kept = its
      .filter(
        (point) =>
          INTERACTIVITY.inferencex.of(point) >= pace &&
          (ttft === undefined || point.latency.ttft.p99 <= ttft),
      )
      .sort((a, b) => b.concurrency - a.concurrency);
    return {
      series,
      users,
      outputThroughput: users === undefined ? undefined : users * pace,
      keeps: kept[0],
    };
  });
}
