/** What a serving stack does to latency, as data. Its times are constants `stack.<what>.<name>`. */
export interface StackSpec {
  readonly name: string;
  /** How calibration rows and users name it. */
  readonly aliases: readonly string[];
  /** The stack that compiles its graphs: theirs are the constants `stack.regions`, `stack.width` and `stack.plain`. */
  readonly graphs: string;
  readonly blockSize: number;
  /** Prompt buckets: powers of two from this to the largest. */
  readonly firstTokenBucket: number;
  /** Prompt segments are at most this long; absent: one bucket up to the context. */
  readonly maxSegment?: number;
  /** Row buckets: powers of two up to max_num_seqs, or the one compiled batch. */
  readonly rowBuckets: "powers" | "compiled";
  /** Decode graphs by context (powers of two from `firstContextBucket`), or one graph for the whole context. */
  readonly contextBuckets: "powers" | "compiled";
  readonly firstContextBucket: number;
  /** Tokens that its server compiles for when nobody says; absent: no number of its own. */
  readonly usualContext?: number;
  /** A prompt piece may share a step with decode rows. */
  readonly mixLong: boolean;
  /** Steps are launched ahead of the host's work when the batch does not change. */
  readonly asyncScheduling: boolean;
  readonly onDeviceSampling: boolean;
  /** Between its collectives a prompt's tokens lie apart over the ranks: norms and sums see a share. */
  readonly sequenceParallel: boolean;
  /** Its graphs cast short weights to BF16 before a product; else they are computed as they are stored. */
  readonly castsWeights: boolean;
  /** Query heads are padded up when TP does not divide them; else refused. */
  readonly padHeads: boolean;
  /**
   * KV heads that TP does not divide are replicated up to the ranks: always, where query heads divide
   * evenly, or where padded ones spread evenly over KV heads too. Else they become as many as query heads.
   */
  readonly kvSharding: "replicate" | "even" | "spread";
  /** Prompts from this length on use the flash kernel, where it is among the kernels. */
  readonly flashFrom: number;
  /** Kernels when none are named. */
  readonly kernels: readonly string[];
  /** Share of HBM that the KV pool may take. */
  readonly kvShare: number;
  /** Buckets that the user names, ascending; absent: by the rules above. */
  readonly named?: {
    readonly tokens?: readonly number[];
    readonly rows?: readonly number[];
    readonly contexts?: readonly number[];
  };
}
