/** What a family file exports: a name, the classes it covers, and the description. */
import type { Architecture } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";

export interface Family {
  /** As in config.json's `model_type`, e.g. `llama`. */
  readonly name: string;
  /** Names in config.json's `architectures`, e.g. `LlamaForCausalLM`. */
  readonly architectures: readonly string[];
  /** Described as far as costs go; a checkpoint of it is refused, for this reason. Of a config: those it is true of. */
  readonly pricedOnly?: string | ((config: ConfigReader) => string | undefined);
  /** Throws ModelConfigError naming the key that is missing or wrong. */
  describe(config: ConfigReader): Architecture;
  /**
   * What the simulated device prices of a model without weights, where that is not what is
   * computed: published measurements were fitted by it, and the catalogue's configs say no more.
   */
  priced?(config: ConfigReader): Architecture;
}
