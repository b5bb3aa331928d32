/**
 * The LoRA adapters of this server by their names: requests name one as their model. Each is
 * loaded into the devices of all ranks before its name is known, and let go of when the last
 * request that names it is over.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import type { Adapter, AdapterFacts, Device } from "../../device/device.ts";
import type { Engine } from "../../engine/engine.ts";
import { AdapterError, AdapterMissingError } from "../../models/weights/adapter-config.ts";
import { resolveFolder } from "../../models/weights/folder.ts";
import { ApiError, badRequest } from "../http/errors.ts";

/** What is to be loaded. */
export interface AdapterAsked {
  readonly name: string;
  /** A folder, or ORG/NAME in the hub's cache. */
  readonly path: string;
  /** A name of the base model; absent, or another: the first. */
  readonly base?: string;
  /** Takes the place of one of the same name. */
  readonly inPlace?: boolean;
}

/** An adapter that is served. */
export interface ServedAdapter {
  readonly adapter: Adapter;
  readonly path: string;
  /** Name of the base model. */
  readonly parent: string;
  readonly facts: AdapterFacts;
}

interface Host {
  readonly device: Device;
  readonly engine: Engine;
}

export class AdapterRegistry {
  readonly #hosts: readonly Host[];
  readonly #names: readonly [string, ...string[]];
  readonly #served = new Map<string, ServedAdapter>();
  /** Loads and unloads of a name, one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #lastId = 0;

  /** `names`: those of the base model. */
  constructor(hosts: readonly Host[], names: readonly [string, ...string[]]) {
    this.#hosts = hosts;
    this.#names = names;
  }

  /** In the order of their loading. */
  get all(): readonly ServedAdapter[] {
    return [...this.#served.values()];
  }

  find(name: string): Adapter | undefined {
    return this.#served.get(name)?.adapter;
  }

  /** What adapters requests name now, on all ranks. */
  get inUse(): Engine["adapters"] {
    const uses = this.#hosts.map(({ engine }) => engine.adapters);
    const all = (of: "running" | "waiting"): string[] => [
      ...new Set(uses.flatMap((use) => use[of])),
    ];
    return { running: all("running"), waiting: all("waiting") };
  }

  /** Throws ApiError in vLLM's words. */
  load(asked: AdapterAsked): Promise<ServedAdapter> {
    return this.#inTurn(asked.name, async () => {
      const { name, path } = asked;
      checkLoad({ name, path });
      if (this.#names.includes(name)) {
        throw new ApiError(
          "invalid-input",
          `The lora adapter '${name}' conflicts with a served base model.`,
        );
      }
      const before = this.#served.get(name);
      if (before !== undefined && !asked.inPlace) {
        throw new ApiError(
          "invalid-input",
          `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`,
        );
      }
      return this.#load(asked, before);
    });
  }

  /** Requests under way end with it. Throws ApiError in vLLM's words. */
  unload(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const served = this.#served.get(name);
      if (served === undefined || name === "") throw notLoaded(name);
      this.#served.delete(name);
      this.#drop(served.adapter);
    });
  }

  async #load(
    { name, path, base }: AdapterAsked,
    before: ServedAdapter | undefined,
  ): Promise<ServedAdapter> {
    const id = ++this.#lastId;
    // What was computed by other weights under this name and path is not to be found again.
    const key = before?.path === path ? `${path}#${id}` : path;
    const adapter: Adapter = { id, name, path: key, folder: folderOf(path) };
    let facts: AdapterFacts = { rank: 0, modules: 0, bytes: 0 };
    try {
      for (const { device } of this.#hosts) facts = (await device.adapters?.load(adapter)) ?? facts;
    } catch (error) {
      this.#drop(adapter);
      throw refusal(error, { name, path });
    }
    const parent = base !== undefined && this.#names.includes(base) ? base : this.#names[0];
    if (before !== undefined) this.#drop(before.adapter);
    const served = { adapter, path, parent, facts };
    this.#served.set(name, served);
    return served;
  }

  #drop(adapter: Adapter): void {
    for (const { engine } of this.#hosts) engine.dropAdapter(adapter);
  }

  async #inTurn<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(act, act);
    this.#turns.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(name) === turn) this.#turns.delete(name);
    }
  }
}

/** Throws where vLLM looks no further. */
export function checkLoad({ name, path }: Pick<AdapterAsked, "name" | "path">): void {
  if (name !== "" && path !== "") return;
  throw new ApiError("invalid-input", "Both 'lora_name' and 'lora_path' must be provided.");
}

export function notLoaded(name: string): ApiError {
  return name === ""
    ? new ApiError("invalid-input", "'lora_name' needs to be provided to unload a LoRA adapter.")
    : new ApiError("not-found", `The lora adapter '${name}' cannot be found.`);
}

/** In a line. */
export function described({ adapter, path, facts }: ServedAdapter): string {
  const { rank, modules, bytes } = facts;
  const mebibytes = (bytes / 2 ** 20).toFixed(1);
  return `LoRA adapter ${adapter.name} of ${path}: rank ${rank}, ${modules} modules, ${mebibytes} MiB a rank`;
}

/** As vLLM: an absolute path as it is, `~` is the home, what exists here, else a name of the hub. */
function folderOf(path: string): string {
  if (path.startsWith("~")) return join(homedir(), path.slice(1));
  return existsSync(path) ? resolve(path) : resolveFolder(path);
}

/** What cannot be served is the asker's fault (vLLM: 500, for which routers take a worker out). */
function refusal(error: unknown, { name, path }: AdapterAsked): unknown {
  if (error instanceof AdapterMissingError) {
    const message = `Loading lora ${name} failed: No adapter found for ${path}`;
    return new ApiError("not-found", message, { cause: error });
  }
  return error instanceof AdapterError ? badRequest(error.message) : error;
}
