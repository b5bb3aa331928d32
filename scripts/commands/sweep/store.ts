/**
 * Results on disk, one file a point in the format of `vllm bench serve`, with the
 * whole point under its `trainyard` key. A sweep that finds a point's file does
 * not run it again: the file's name is a hash of all that decides the result.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VllmResult } from "../../load/result.ts";
import type { Point } from "../../report/point.ts";
import { UsageError } from "../../usage.ts";

/** Equal settings, equal key. */
export function pointKey(settings: unknown): string {
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 16);
}

/**
 * A folder takes the points of one sweep, and more of the same: it is refused when it
 * holds points that this sweep does not have, or anything else that is no sweep's.
 * Throws UsageError.
 */
export async function checkFolder(folder: string, keys: ReadonlySet<string>): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new UsageError(`--out ${folder}: ${error.message}`);
  });
  if (entries.length === 0) return;
  const points = await readdir(join(folder, "points")).catch(() => undefined);
  if (points === undefined) {
    throw new UsageError(`--out ${folder} holds files that are no sweep's: give another folder.`);
  }
  const others = points.filter(
    (name) => name.endsWith(".json") && !keys.has(name.slice(0, -".json".length)),
  );
  if (others.length > 0) {
    throw new UsageError(
      `--out ${folder} holds ${others.length} points of another sweep, or of a server with other settings: give another folder. The same sweep with more users may go on in it.`,
    );
  }
}

export async function savePoint(
  folder: string,
  key: string,
  stored: { readonly point: Point; readonly result: VllmResult },
): Promise<void> {
  const path = fileOf(folder, key);
  await mkdir(join(folder, "points"), { recursive: true });
  const body = { ...stored.result, trainyard: { key, point: stored.point } };
  // Whole or not at all: an interrupted sweep leaves no half file under the name.
  await writeFile(`${path}.part`, `${JSON.stringify(body)}\n`);
  await rename(`${path}.part`, path);
}

/** Undefined when there is none. */
export async function loadPoint(folder: string, key: string): Promise<Point | undefined> {
  const text = await readFile(fileOf(folder, key), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const body = JSON.parse(text) as { trainyard?: { key?: string; point?: Point } };
  return body.trainyard?.key === key ? body.trainyard.point : undefined;
}

function fileOf(folder: string, key: string): string {
  return join(folder, "points", `${key}.json`);
}
