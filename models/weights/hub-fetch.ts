/**
 * Fetches a model into the hub's cache, in its own layout: only the files that serving needs,
 * each checked by its hash before anybody sees it. What was cut is resumed from where it
 * ended (`blobs/HASH.incomplete`), which the hub's library does not do: it lists the files,
 * and the ranges are asked for here.
 */
import { createHash } from "node:crypto";
import {
  createReadStream,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout } from "node:timers/promises";
import { HubApiError, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { type HubName, hubCacheFolder, repoFolder } from "./hub-cache.ts";
import { ownerLives, ownerText } from "./owner.ts";

/** The model could not be fetched: which file or name, why, and what to do. */
export class HubError extends Error {
  override readonly name = "HubError";
}

export interface FetchOptions {
  /** Absent: huggingface.co. */
  readonly endpoint?: string;
  readonly token?: string;
  /** Absent: the hub's cache. */
  readonly cache?: string;
  /** Told before each file and as its bytes come. */
  readonly onProgress?: (progress: FetchProgress) => void;
  /** Times a cut file is asked for again. */
  readonly retries?: number;
}

export interface FetchProgress {
  readonly file: string;
  /** Of all files: there now, of these fetched by this call, and in the end. */
  readonly have: number;
  readonly fetched: number;
  readonly total: number;
}

/** What serving reads; weights of other frameworks and folders are left alone. */
const NEEDED =
  /^(?:config|generation_config|preprocessor_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template)\.json$|^chat_template\.jinja$|^additional_chat_templates\/[^/]+\.jinja$|^(?:model.*\.safetensors|model\.safetensors\.index\.json)$/;

interface Wanted {
  readonly path: string;
  readonly size: number;
  /** SHA-256 of a large file, git's SHA-1 of a small one: the blob's name. */
  readonly hash: string;
}

/** Fetches what is missing of the model; its snapshot. Throws HubError. */
export async function fetchModel(name: HubName, options: FetchOptions = {}): Promise<string> {
  const cache = options.cache ?? hubCacheFolder();
  const { commit, files } = await listModel(name, options);
  const folder = repoFolder(name.repo, cache);
  const blobs = join(folder, "blobs");
  mkdirSync(blobs, { recursive: true });
  const partOf = (file: Wanted): number =>
    sizeOf(join(blobs, file.hash)) ??
    Math.min(sizeOf(join(blobs, `${file.hash}.incomplete`)) ?? 0, file.size);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let have = files.reduce((sum, file) => sum + partOf(file), 0);
  let fetched = 0;
  checkRoom(blobs, total - have);
  for (const file of files) {
    const tell = (bytes: number): void => {
      have += bytes;
      if (bytes > 0) fetched += bytes;
      options.onProgress?.({ file: file.path, have, fetched, total });
    };
    tell(0);
    // Another pull of it may be under way: one writes, and the other sees what came.
    const others = (): void => {
      const now = files.reduce((sum, each) => sum + partOf(each), 0);
      if (now === have) return;
      have = now;
      tell(0);
    };
    await alone({ blob: join(blobs, file.hash), others }, () =>
      fetchFile(name, { commit, file, blobs }, options, tell),
    );
  }
  const snapshot = join(folder, "snapshots", commit);
  for (const { path, hash } of files) link(join(snapshot, path), join(blobs, hash));
  if (name.revision !== commit) {
    const ref = join(folder, "refs", name.revision ?? "main");
    mkdirSync(dirname(ref), { recursive: true });
    writeFileSync(ref, commit);
  }
  return snapshot;
}

/** Milliseconds between looks at what another process fetches. */
const LOOK_AGAIN = 200;

/** Runs `fetching` unless the blob is there; waits while another process that lives fetches it. */
async function alone(
  { blob, others }: { readonly blob: string; readonly others: () => void },
  fetching: () => Promise<void>,
): Promise<void> {
  const lock = `${blob}.lock`;
  for (;;) {
    if (existsSync(blob)) return others();
    try {
      writeFileSync(lock, ownerText(), { flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (ownerLives(lock)) {
        await setTimeout(LOOK_AGAIN);
        others();
      } else rmSync(lock, { force: true });
      continue;
    }
    try {
      if (!existsSync(blob)) await fetching();
      return;
    } finally {
      rmSync(lock, { force: true });
    }
  }
}

/** The commit of the name and the files of it that serving needs. */
async function listModel(
  { repo, revision = "main" }: HubName,
  { endpoint, token }: FetchOptions,
): Promise<{ readonly commit: string; readonly files: readonly Wanted[] }> {
  if (token !== undefined && !token.startsWith("hf_"))
    throw new HubError(`${repo}: HF_TOKEN is no token of the hub, which begins with hf_`);
  const asked = {
    ...(endpoint !== undefined && { hubUrl: endpoint }),
    ...(token !== undefined && { accessToken: token }),
  };
  try {
    const { sha } = await modelInfo({ name: repo, revision, additionalFields: ["sha"], ...asked });
    const files: Wanted[] = [];
    for await (const entry of listFiles({ repo, revision: sha, recursive: true, ...asked })) {
      const wanted = wantedOf(entry);
      if (wanted) files.push(wanted);
    }
    if (!files.some(({ path }) => path === "config.json"))
      throw new HubError(
        `${repo}: the hub lists no config.json; it is no model that can be served`,
      );
    if (!files.some(({ path }) => path.endsWith(".safetensors")))
      throw new HubError(
        `${repo}: the hub lists no safetensors; find a conversion of the model that has them`,
      );
    return { commit: sha, files };
  } catch (error) {
    throw told(error, `${repo}${revision === "main" ? "" : `@${revision}`}`, token !== undefined);
  }
}

function wantedOf({ type, path, size, oid, lfs }: ListFileEntry): Wanted | undefined {
  if (type !== "file" || !NEEDED.test(path)) return undefined;
  const hash = lfs?.oid ?? oid;
  if (hash === undefined || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
    throw new HubError(`${path}: the hub names no hash of it`);
  return { path, size: lfs?.size ?? size, hash };
}

function told(error: unknown, name: string, hasToken: boolean): Error {
  if (error instanceof HubError) return error;
  const status = error instanceof HubApiError ? error.statusCode : undefined;
  if (status === 401 || status === 403) {
    return new HubError(
      hasToken
        ? `${name}: the hub refuses the token; accept the model's terms on its page, or give another HF_TOKEN`
        : `${name}: the hub wants a token; set HF_TOKEN`,
    );
  }
  if (status === 404) return new HubError(`${name}: the hub knows no such model or revision`);
  const cause = error instanceof Error ? error : new Error(String(error));
  const why =
    cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
  return new HubError(`${name}: the hub does not answer (${why})`, { cause });
}

function checkRoom(folder: string, needed: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (needed > free)
    throw new HubError(
      `${folder}: ${needed} bytes are to come and ${free} are free; make room, or set HF_HOME`,
    );
}

/** Milliseconds before a cut file is asked for again, twice as long each time. */
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

interface Place {
  readonly commit: string;
  readonly file: Wanted;
  readonly blobs: string;
}

async function fetchFile(
  name: HubName,
  { commit, file, blobs }: Place,
  options: FetchOptions,
  tell: (bytes: number) => void,
): Promise<void> {
  const { endpoint = "https://huggingface.co", retries = 5 } = options;
  const url = `${endpoint}/${name.repo}/resolve/${commit}/${file.path.split("/").map(encodeURIComponent).join("/")}`;
  const target = join(blobs, `${file.hash}.incomplete`);
  if ((sizeOf(target) ?? 0) > file.size) rmSync(target);
  for (let tries = 0; (sizeOf(target) ?? 0) < file.size || !existsSync(target); tries++) {
    if (tries > 0) await setTimeout(Math.min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE));
    try {
      await fetchRest({ url, target, file }, options, tell);
    } catch (error) {
      if (error instanceof HubError || tries >= retries)
        throw told(error, file.path, options.token !== undefined);
    }
    if (tries >= retries && (sizeOf(target) ?? 0) < file.size)
      throw new HubError(
        `${file.path}: ended at byte ${sizeOf(target) ?? 0} of ${file.size} for the ${tries + 1}th time; try again to go on from there`,
      );
  }
  const found = await hashOf(target, file);
  if (found !== file.hash) {
    rmSync(target);
    throw new HubError(
      `${file.path}: its hash is ${found}, and the hub promised ${file.hash}; what came was thrown away, try again`,
    );
  }
  renameSync(target, join(blobs, file.hash));
}

/** Appends what is missing, as far as the connection lasts. */
async function fetchRest(
  { url, target, file }: { readonly url: string; readonly target: string; readonly file: Wanted },
  { token }: FetchOptions,
  tell: (bytes: number) => void,
): Promise<void> {
  const begin = sizeOf(target) ?? 0;
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(begin > 0 && { range: `bytes=${begin}-` }),
  };
  // A token goes to the hub alone: fetch drops it where another host is named.
  const response = await fetch(url, { headers });
  if (response.status === 401 || response.status === 403 || response.status === 404)
    throw new HubError(
      `${file.path}: the hub answers ${response.status}; see whether HF_TOKEN may read it`,
    );
  if (!response.ok || response.body === null) throw new Error(`the hub answers ${response.status}`);
  const again = begin > 0 && response.status !== 206;
  const output = await open(target, again ? "w" : "a");
  let size = again ? 0 : begin;
  if (again) tell(-begin);
  try {
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += piece.length;
      if (size > file.size)
        throw new HubError(
          `${file.path}: more than the ${file.size} bytes came that the hub promised; what came was thrown away`,
        );
      await output.write(piece);
      tell(piece.length);
    }
  } catch (error) {
    if (error instanceof HubError) rmSync(target);
    throw error;
  } finally {
    await output.close();
  }
}

/** As the blob is named. */
async function hashOf(path: string, { hash, size }: Wanted): Promise<string> {
  const large = hash.length === 64;
  const sum = createHash(large ? "sha256" : "sha1");
  if (!large) sum.update(`blob ${size}\0`);
  for await (const piece of createReadStream(path)) sum.update(piece as Buffer);
  return sum.digest("hex");
}

function link(path: string, blob: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(relative(dirname(path), blob), path);
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** What the environment says of the hub, by the variables that its own clients read. */
export function hubSettings(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string | undefined,
): Pick<FetchOptions, "endpoint" | "token"> & { readonly offline: boolean } {
  const home = dirname(
    hubCacheFolder({ ...env, HF_HUB_CACHE: undefined, HUGGINGFACE_HUB_CACHE: undefined }),
  );
  const token = env["HF_TOKEN"] || readFile(env["HF_TOKEN_PATH"] || join(home, "token"))?.trim();
  const endpoint = env["HF_ENDPOINT"]?.replace(/\/$/, "");
  return {
    ...(endpoint && { endpoint }),
    ...(token && { token }),
    offline: /^(?:1|true|yes|on)$/i.test(env["HF_HUB_OFFLINE"] ?? ""),
  };
}
