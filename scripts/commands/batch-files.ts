/** Where a batch comes from and its answers go: files of this machine, or HTTP GET and PUT, as in vLLM. */
import { openAsBlob } from "node:fs";
import { type FileHandle, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../usage.ts";

const UPLOADS = 5;
const BETWEEN_UPLOADS_MS = 5_000;

const isUrl = (place: string): boolean => /^https?:\/\//.test(place);

/** Throws UsageError where a server does not give it. */
export async function readInput(place: string): Promise<string> {
  if (!isUrl(place)) return readFile(place, "utf8");
  const response = await fetch(place).catch((error: Error) => {
    throw new UsageError(`--input-file ${place}: ${reasonOf(error)}.`);
  });
  if (response.ok) return response.text();
  throw new UsageError(`--input-file ${place}: the server answers ${response.status}.`);
}

export interface OutputFile {
  readonly file: FileHandle;
  /** Once all is written; throws UsageError where a server does not take it. */
  finish(): Promise<void>;
  /** Whatever came of it. */
  close(): Promise<void>;
}

/** `folder`: of what is to be sent; absent: the system's. */
export async function openOutput(
  place: string,
  folder: string | undefined,
  waitMs = BETWEEN_UPLOADS_MS,
): Promise<OutputFile> {
  if (!isUrl(place)) {
    const file = await open(place, "w");
    return { file, finish: async () => {}, close: () => file.close() };
  }
  const own = await mkdtemp(join(folder ?? tmpdir(), "trainyard-batch-"));
  const path = join(own, "answers.jsonl");
  const file = await open(path, "w");
  return {
    file,
    finish: () => upload(path, place, waitMs),
    close: async () => {
      await file.close();
      await rm(own, { recursive: true, force: true });
    },
  };
}

async function upload(path: string, url: string, waitMs: number): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const wrong = await put(url, await openAsBlob(path)).catch(reasonOf);
    if (wrong === undefined) return;
    const said = `The answers could not be sent to ${url} (attempt ${attempt} of ${UPLOADS}): ${wrong}`;
    if (attempt === UPLOADS) throw new UsageError(`${said}.`);
    process.stderr.write(`${said}.\n`);
    await sleep(waitMs);
  }
}

/** Undefined: it was taken. */
async function put(url: string, body: Blob): Promise<string | undefined> {
  const response = await fetch(url, { method: "PUT", body });
  const text = await response.text();
  return response.ok ? undefined : `${response.status} ${text}`.trim();
}

function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
