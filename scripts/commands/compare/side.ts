/** What may be compared and opened: a sweep's folder or its page, points, results of a bench, evaluations, or profiles. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { type ReadProfile, readProfile } from "../../../device/trainium/profile/read.ts";
import type { Point } from "../../report/point.ts";
import { pointsOfText } from "../../report/read-points.ts";
import { reason, UsageError } from "../../usage.ts";
import { type EvalResult, evalIn } from "../eval/result.ts";

export type Side =
  | { readonly kind: "eval"; readonly result: EvalResult }
  | { readonly kind: "points"; readonly points: readonly Point[] }
  | { readonly kind: "profile"; readonly read: ReadProfile };

/** Throws UsageError naming the path. */
export async function readSide(path: string): Promise<Side> {
  const there = await stat(path).catch((error: unknown) => {
    throw new UsageError(`${path}: ${reason(error)}`);
  });
  if (there.isDirectory()) return { kind: "points", points: await pointsOf(path) };
  const bytes = await readFile(path);
  const result = evalIn(jsonOf(bytes));
  if (result !== undefined) return { kind: "eval", result };
  const points = jsonPoints(bytes);
  if (points.length > 0) return { kind: "points", points };
  try {
    return { kind: "profile", read: readProfile(bytes, basename(path)) };
  } catch (error) {
    throw new UsageError(`${reason(error)} ${path} is no sweep, bench, evaluation or profile.`);
  }
}

/** Of a sweep's folder, or of its points'. */
async function pointsOf(folder: string): Promise<readonly Point[]> {
  const inner = join(folder, "points");
  const at = (await stat(inner).catch(() => undefined))?.isDirectory() === true ? inner : folder;
  const names = (await readdir(at)).filter((name) => name.endsWith(".json"));
  const found: Point[] = [];
  for (const name of names) found.push(...jsonPoints(await readFile(join(at, name))));
  if (found.length === 0) throw new UsageError(`${folder} holds no point of a sweep.`);
  return found;
}

function jsonPoints(bytes: Uint8Array): readonly Point[] {
  try {
    return pointsOfText(new TextDecoder().decode(bytes));
  } catch {
    return []; // no JSON: perhaps a profile
  }
}

/** Undefined: no JSON. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
