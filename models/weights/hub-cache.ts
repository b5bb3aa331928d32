/**
 * Models that the Hugging Face hub's own clients fetched, where they keep them:
 *
 *     CACHE/models--ORG--NAME/refs/REVISION        a commit's hash
 *     CACHE/models--ORG--NAME/snapshots/COMMIT/…   links to ../../blobs/HASH
 *
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** `ORG/NAME[@revision]`: a branch, a tag, `refs/pr/1` or a commit's hash. */
export interface HubName {
  /** `ORG/NAME` */
  readonly repo: string;
  readonly revision?: string;
}

/** As huggingface_hub checks names, with an owner; undefined: no name of the hub. */
export function parseHubName(source: string): HubName | undefined {
  const match = /^(\w[\w.-]{0,95}\/\w[\w.-]{0,95})(?:@([\w./-]+))?$/.exec(source);
  const [, repo, revision] = match ?? [];
  if (repo === undefined || /--|\.\./.test(source)) return undefined;
  return { repo, ...(revision !== undefined && { revision }) };
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder of the hub's cache, by the variables that its own clients read. */
export function hubCacheFolder(env: Environment = process.env): string {
  const said = env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"];
  if (said) return said;
  const home = env["HF_HOME"];
  if (home) return join(home, "hub");
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface", "hub");
}

/** The folder of a repository in the cache. */
export function repoFolder(repo: string, cache = hubCacheFolder()): string {
  return join(cache, `models--${repo.replace("/", "--")}`);
}

/** The snapshot of a name, whole or not; undefined where nothing of it is cached. */
export function cachedSnapshot(name: HubName, cache = hubCacheFolder()): string | undefined {
  const folder = repoFolder(name.repo, cache);
  const revision = name.revision ?? "main";
  const ref = join(folder, "refs", revision);
  const commit = isFile(ref) ? readFileSync(ref, "utf8").trim() : revision;
  const snapshot = join(folder, "snapshots", commit);
  return /^\w+$/.test(commit) && existsSync(snapshot) ? snapshot : undefined;
}

/** A model of the cache. */
export interface CachedModel {
  readonly id: string;
  /** Branches and tags that are known of it. */
  readonly revisions: readonly string[];
  /** Of its blobs, whichever snapshots share them. */
  readonly bytes: number;
  /** Bytes of files whose fetching was cut. */
  readonly unfinishedBytes: number;
}

/** What the cache holds, by id. */
export function cachedModels(cache = hubCacheFolder()): readonly CachedModel[] {
  return listed(cache)
    .filter((name) => /^models--.+--/.test(name))
    .map((name) => {
      const folder = join(cache, name);
      const blobs = listed(join(folder, "blobs"));
      const size = (unfinished: boolean): number =>
        blobs
          .filter((blob) => blob.endsWith(".incomplete") === unfinished)
          .reduce((sum, blob) => sum + statSync(join(folder, "blobs", blob)).size, 0);
      return {
        id: name.slice("models--".length).replace("--", "/"),
        revisions: refsBelow(join(folder, "refs")),
        bytes: size(false),
        unfinishedBytes: size(true),
      };
    });
}

function refsBelow(folder: string, prefix = ""): readonly string[] {
  return listed(folder).flatMap((name) => {
    const path = join(folder, name);
    return isFile(path) ? [prefix + name] : refsBelow(path, `${prefix}${name}/`);
  });
}

function listed(folder: string): readonly string[] {
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder ? readdirSync(folder).sort() : [];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
