/** The points that are looked at: from files, from sweeps of this page, from a saved page. */
import { computed, signal } from "@preact/signals";
import { INTERACTIVITY, type Point, seriesOf, usersAt } from "../../../../scripts/report/point.ts";
import { pointsOfText } from "../../../../scripts/report/read-points.ts";
import { labelled } from "../../../../scripts/report/series.ts";
import { getFile } from "../api.ts";
import { saved } from "../saved.ts";

/** Points that came together: a file or folder dropped at once, a sweep of this page. */
export interface Run {
  readonly name: string;
  readonly points: readonly Point[];
}

export const runs = signal<readonly Run[]>(saved?.runs ?? []);
/** Named; lines in the order in which they came, as the command line has them, each by users. */
export const points = computed(() => {
  const all = labelled(runs.value.flatMap((run) => run.points));
  return seriesOf(all).flatMap((series) =>
    all.filter((point) => point.series === series).sort((a, b) => a.concurrency - b.concurrency),
  );
});
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
  const names: string[] = [];
  for (const file of files) {
    names.push(file.name);
    try {
      const its = pointsOfText(await file.text());
      if (its.length === 0) failed.push(`${file.name} holds no point of a sweep.`);
      found.push(...its);
    } catch (error) {
      failed.push(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const [first = "", ...others] = names;
  if (found.length > 0) {
    const name = others.length === 0 ? first : `${first} and ${others.length} more`;
    addRun({ name, points: found });
  }
  failures.value = failed;
}

/** Files of this server's, as one run. */
export async function openLinked(paths: readonly string[]): Promise<void> {
  try {
    await openFiles(await Promise.all(paths.map(getFile)));
  } catch (error) {
    failures.value = [error instanceof Error ? error.message : String(error)];
  }
}

/** A run of the same name is replaced. */
export function addRun(run: Run): void {
  runs.value = [...runs.value.filter(({ name }) => name !== run.name), run];
}

export function forget(): void {
  runs.value = [];
  failures.value = [];
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
