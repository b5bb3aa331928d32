/** What a serving stack does to latency, as data. */
export interface StackSpec {
  readonly name: string;
  /** How calibration rows and users name it. */
  readonly aliases: readonly string[];
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
  /** A prompt piece may share a step with decode rows. */
  readonly mixLong: boolean;
  /** Steps are launched ahead of the host's work when the batch does not change. */
  readonly asyncScheduling: boolean;
  readonly onDeviceSampling: boolean;
  /** Query heads are padded up when TP does not divide them; else refused. */
  readonly padHeads: boolean;
  /** KV heads become as many as query heads when TP divides neither. */
  readonly convertToMha: boolean;
  /** Kernels when none are named. */
  readonly kernels: readonly string[];
  /** Host work of a decode step that nothing hides, ns: fixed and per live row. */
  readonly hostStepNanos: number;
  readonly hostRowNanos: number;
  /** Host work of a prompt beyond the graph, ns. */
  readonly hostPromptNanos: number;
  /** Share of a graph's plain kernel regions that the compiler leaves (1: all). */
  readonly regionShare: number;
  /** Share of HBM that the KV pool may take. */
  readonly kvShare: number;
}
