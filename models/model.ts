/** A model as loaded: architecture, weights, words. Everything but the tokenizer is plain data. */
import type { Architecture } from "./architecture.ts";
import type { WeightFormat } from "./ops.ts";
import type { Soon } from "./soon.ts";

/** One tensor of a checkpoint, where it lies. */
export interface StoredTensor {
  readonly name: string;
  readonly file: string;
  /** As safetensors spells it: F32, F16, BF16, F8_E4M3, U8, I8, … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Byte range [begin, end) in the file. */
  readonly begin: number;
  readonly end: number;
  /** How its bytes become the numbers of `shape`; absent: by `dtype` alone. */
  readonly packing?: Packing;
  /** Rows of a head, whose first half lies at its even rows and its second half at the odd ones. */
  readonly interleaved?: number;
  /** Added to every number. */
  readonly plus?: number;
}

/**
 * Quantised weights as they are published; `[out, in]` is the shape they stand for.
 *
 * | kind      | bytes                                                             | number                  |
 * |-----------|-------------------------------------------------------------------|-------------------------|
 * | fp8       | E4M3 `[out, in]`                                                  | value · scale           |
 * | int8      | `[out, in]`                                                       | value · scale of its row |
 * | mxfp4     | E2M1, two a byte, `[…, out, in / 32, 16]`                         | value · 2^(scale − 127) |
 * | packed    | int4 from −8, 8 a word along `in`, `[out, in / 8]`                | value · scale           |
 * | gptq      | words along `in`, `[in · bits / 32, out]`                         | (code − zero) · scale   |
 * | awq       | words along `out` in AWQ's order, `[in, out / 8]`                 | (code − zero) · scale   |
 * | ggml      | blocks along `in`, scales among them                              | as its type says        |
 */
export type Packing =
  /** A scale of all, of a row, or of blocks of `block` rows and columns. */
  | {
      readonly kind: "fp8";
      readonly scales: StoredTensor;
      readonly block?: readonly [number, number];
    }
  | { readonly kind: "int8" | "mxfp4"; readonly scales: StoredTensor }
  | { readonly kind: "ggml"; readonly type: BlockType }
  | {
      readonly kind: "packed" | "gptq" | "awq";
      readonly bits: number;
      readonly scales: StoredTensor;
      /** Absent: the middle of the codes. */
      readonly zeros?: StoredTensor;
      /** Added to stored zeros (1 in GPTQ's first format). */
      readonly zeroOffset: number;
      /** Group of every input; absent: in order, as many each. */
      readonly order?: StoredTensor;
    };

/** ggml's quantised types: integers times a scale. */
export type ScaledType = "Q4_0" | "Q5_0" | "Q8_0" | "Q3_K" | "Q6_K" | "IQ4_NL" | "IQ4_XS" | "MXFP4";
/** The others, which subtract a minimum besides. */
export type ShiftedType = "Q4_1" | "Q5_1" | "Q2_K" | "Q4_K" | "Q5_K";
export type BlockType = ScaledType | ShiftedType;

/** Index of model.safetensors or of its shards; reads nothing until asked. Plain data. */
export interface Checkpoint {
  readonly folder: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Bytes of all tensors. */
  readonly bytes: number;
}

/** What generation_config.json says, of the fields that vLLM reads. */
export interface GenerationDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  /** Output tokens where a request does not say. */
  readonly maxNewTokens?: number;
  /** Output tokens at most, whatever a request says: whoever serves the model wants it. */
  readonly newTokensCap?: number;
  /** The tokenizer's own first. */
  readonly eosTokenIds: readonly number[];
}

/** Turns ids into text piece by piece; holds back half-finished characters. */
export interface Decoder {
  push(token: number): string;
  /** The rest, at the end. */
  end(): string;
}

/** Two texts as one prompt. */
export interface JoinedPair {
  readonly ids: Int32Array;
  /** Where tokens of the second text's type begin; absent: the file gives all one type. */
  readonly secondFrom?: number;
}

export interface Tokenizer {
  /** Ids in the model's vocabulary, added tokens included. */
  readonly vocabSize: number;
  readonly specialIds: ReadonlySet<number>;
  /** Rejects with TextRefusedError for a text that cannot be tokenised here. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): Soon<Int32Array>;
  /** (optional) Two texts as a model that compares them wants them, of `most` tokens at most. Rejects as `encode`. */
  encodePair?(first: string, second: string, most?: number): Promise<JoinedPair>;
  /** Throws ModelConfigError where hostile texts end the process that reads the file; for servers. */
  probe?(): Promise<void>;
  /** Bytes of one id as they stand in running text; empty for an id with no text. */
  bytes(id: number): Uint8Array;
  /** The token as its vocabulary spells it, e.g. `Ġthe`. */
  token(id: number): string | undefined;
  id(token: string): number | undefined;
  /** Special tokens are kept unless `skipSpecial`. */
  decode(ids: readonly number[] | Int32Array, options?: { readonly skipSpecial?: boolean }): string;
  /**
   * A stream of text. `after`: ids it goes on from (the prompt), whose own text is not
   * given; without them it is the beginning of a text, where some vocabularies drop a space.
   */
  decoder(options?: {
    readonly skipSpecial?: boolean;
    readonly after?: readonly number[] | Int32Array;
  }): Decoder;
}

/** How a text's hidden states become its one vector: the last token's, the first's, or the mean of all. */
export type PoolingKind = "last" | "cls" | "mean";

/** Chat messages and tools to prompt text, by the model's Jinja template. */
export interface ChatTemplate {
  /** What it was made of, as data that crosses to a thread; absent: it renders here only. */
  readonly source?: {
    /** By name; `default` is there. */
    readonly templates: ReadonlyMap<string, string>;
    /** `bos_token`, `eos_token`, … as text. */
    readonly tokens: Readonly<Record<string, string>>;
  };
  render(input: {
    readonly messages: readonly unknown[];
    readonly tools?: readonly unknown[];
    readonly addGenerationPrompt?: boolean;
    readonly continueFinalMessage?: boolean;
    readonly documents?: readonly unknown[];
    /** True: the template sees the messages as they are; absent: as vLLM prepares them for it. */
    readonly asGiven?: boolean;
    /** chat_template_kwargs */
    readonly variables?: Readonly<Record<string, unknown>>;
  }): string;
}

export interface Model {
  /** Path or catalogue id it was loaded from. */
  readonly source: string;
  /** config.json as read. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly architecture: Architecture;
  /** Format of the dense weights in the checkpoint, or as the config declares it. */
  readonly format: WeightFormat;
  /** Absent: a config without weights (catalogue); only the simulated device can run it. */
  readonly checkpoint?: Checkpoint;
  /** Of a folder without checkpoint: why, in a sentence that names the file. */
  readonly unread?: string;
  readonly generation: GenerationDefaults;
  /** Absent with the tokenizer files: only token-id prompts are served. */
  readonly tokenizer?: Tokenizer;
  readonly chatTemplate?: ChatTemplate;
  /** tokenizer_config.json as read. */
  readonly tokenizerConfig?: Readonly<Record<string, unknown>>;
}
