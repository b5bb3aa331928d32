/**
 * Results on disk, one file a point in the format of `vllm bench serve`, with the
 * whole point under its `trainyard` key. A sweep that finds a point's file does
 * not run it again: the file's name is a hash of all that decides the result.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VllmResult } from "../../load/result.ts";
import type { Point } from "../../report/point.ts";

/** Equal settings, equal key. */
export function pointKey(settings: unknown): string {
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 16);
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
