/**
 * Whose words a simulated device says, and how it comes by them: from a small
 * model on the CPU, in its own ids, or told again in those of a given tokenizer.
 */
import { existsSync } from "node:fs";
import type { Device, Sampler } from "../../device/device.ts";
import { createDevice, deviceOf } from "../../device/registry.ts";
import type { DeviceSettings } from "../../device/settings.ts";
import { borrowWords } from "../../device/words/borrow.ts";
import { TokenSampler } from "../../engine/sample/sampler.ts";
import { DEFAULT_SAMPLING } from "../../engine/sequence.ts";
import { loadModel } from "../../models/load.ts";
import type { Model } from "../../models/model.ts";
import { projectPath } from "../../models/weights/project-files.ts";
import { SettingsError } from "../settings/error.ts";
import type { Settings } from "../settings/table.ts";
import { RetoldWords } from "./retell.ts";

const BUNDLED = ["trainyard-tiny", "trainyard-draft"];

export function bundledModel(): string {
  const found = BUNDLED.map((name) => projectPath("models", "bundled", name)).find(existsSync);
  if (found === undefined) throw new SettingsError("No MODEL was given and none is bundled.");
  return found;
}

/**
 * The model whose words a simulated device says: its own where it has weights,
 * else the bundled one; undefined: synthetic ids.
 */
export async function valuesModel(settings: Settings, model: Model): Promise<Model | undefined> {
  const { values } = settings;
  if (values === "synthetic") return undefined;
  if (values === "bundled") return loadModel(bundledModel());
  if (values === "weights" && model.checkpoint === undefined) {
    const why = model.unread ?? "the model has none here";
    throw new SettingsError(`--values weights: ${why}; use bundled or synthetic.`);
  }
  if (values !== "auto" && values !== "weights") return loadModel(values);
  return model.checkpoint === undefined ? loadModel(bundledModel()) : model;
}

/** Is the text counted by another tokenizer than the words' own? */
function isRetold(model: Model, words: Model | undefined): words is Model {
  return words !== undefined && words !== model && model.tokenizer !== undefined;
}

/**
 * The device that gives values: it keeps blocks of its own, so that the big pool
 * costs nothing here, and leaves a core to the server, which must be in time.
 */
export async function borrow(words: Model, settings: DeviceSettings): Promise<Device> {
  const { model, clock, seed } = settings;
  const make = (shown: Sampler): Promise<Device> =>
    createDevice(deviceOf("computes"), {
      model: words,
      clock,
      sampler: shown,
      tensorParallelSize: 1,
      seed,
      own: { "spare-cores": 1 },
    });
  if (!isRetold(model, words) || model.tokenizer === undefined || words.tokenizer === undefined) {
    return borrowWords(settings.sampler, make);
  }
  const sampler = new StorySampler(seed);
  return new RetoldWords(await borrowWords(sampler, make), {
    counted: model.tokenizer,
    words: words.tokenizer,
    countedEnd: model.generation.eosTokenIds[0],
    wordsEnds: new Set(words.generation.eosTokenIds),
    forget: (id) => sampler.forget(id),
  });
}

/** Draws retold words: the requests' own parameters speak of ids that this model does not have. */
class StorySampler implements Sampler {
  readonly #sampler = new TokenSampler();
  readonly #known = new Set<number>();

  constructor(seed: number) {
    this.#sampler.attach(seed);
  }

  sample(...[row, logits]: Parameters<Sampler["sample"]>): ReturnType<Sampler["sample"]> {
    const { id } = row;
    if (!this.#known.has(id)) {
      this.#known.add(id);
      const params = { ...DEFAULT_SAMPLING, temperature: 0.7, topP: 0.95 };
      this.#sampler.add({ id, params, promptLength: 0, tokens: new Int32Array(0) });
    }
    return this.#sampler.sample(row, logits);
  }

  prompt(): [] {
    return [];
  }

  forget(id: number): void {
    this.#known.delete(id);
    this.#sampler.remove(id);
  }
}
