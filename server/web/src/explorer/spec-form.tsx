/** What is priced, as a form; a file can be dropped on it in place. */
import { INSTANCES } from "../../../../device/trainium/instances.ts";
import { stackNames } from "../../../../device/trainium/stacks/releases.ts";
import { CATALOG_IDS } from "../catalog-ids.ts";
import { dropped, FileButton } from "../file-button.tsx";
import type { ProfileSpec } from "./profile.ts";

/** As --neuron-kernels: the stack's own, none, or attention's alone. */
const KERNELS = ["", "nki", "plain", "flash-attention,fused-qkv,fused-attention"];

interface Parts {
  readonly spec: ProfileSpec;
  readonly change: (spec: ProfileSpec) => void;
  readonly open: (file: File) => Promise<void>;
}

interface FieldParts {
  readonly name: string;
  readonly field: keyof ProfileSpec;
  readonly spec: ProfileSpec;
  readonly set: (part: Partial<ProfileSpec>) => void;
}

export function SpecForm({ spec, change, open }: Parts) {
  const set = (part: Partial<ProfileSpec>): void => change({ ...spec, ...part });
  const of = { spec, set };
  const take = (files: readonly File[]): void => {
    const [file] = files;
    if (file !== undefined) void open(file);
  };
  const machines = INSTANCES.map(({ name }) => name);
  const rare = [spec.stack, spec.quantization, spec.set].some((value) => value !== "");
  return (
    <form onSubmit={(event) => event.preventDefault()} {...dropped(take)}>
      <div class="spec">
        <Choice name="Model" field="model" values={CATALOG_IDS} {...of} />
        <Choice name="Machine" field="instance" values={machines} {...of} />
        <Whole name="Tensor parallel" field="tensorParallel" least={1} {...of} />
        <Whole name="Rows" field="rows" least={1} {...of} />
        <Whole name="Context" field="context" least={1} {...of} />
        <Choice name="Kernels" field="kernels" values={KERNELS} {...of} />
        <FileButton
          text="Open a profile"
          accept=".spans,.json,application/json,application/octet-stream"
          take={take}
        />
      </div>
      <details class="more" open={rare || spec.steps > 1 || spec.prompt > 0}>
        <summary class="note">Steps, prompt, weights, stack, what if</summary>
        <div class="spec">
          <Whole name="Decode steps" field="steps" least={1} {...of} />
          <Whole name="Prompt before" field="prompt" least={0} {...of} />
          <Choice name="Weights" field="quantization" values={["", "bf16", "fp8"]} {...of} />
          <Choice name="Serving stack" field="stack" values={["", ...stackNames()]} {...of} />
          <label class="model">
            What if: figures of the machine otherwise
            <input
              value={spec.set}
              placeholder="hbm.bandwidth=2x"
              onChange={(event) => set({ set: event.currentTarget.value.trim() })}
            />
          </label>
        </div>
      </details>
    </form>
  );
}

function Choice({
  name,
  field,
  values,
  spec,
  set,
}: FieldParts & { readonly values: readonly string[] }) {
  return (
    <label class={field}>
      {name}
      <select
        value={String(spec[field])}
        onChange={(event) => set({ [field]: event.currentTarget.value })}
      >
        {values.map((value) => (
          <option key={value} value={value}>
            {value === "" ? "default" : value}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A whole number; what is none, or too small, is not taken. */
function Whole({ name, field, least, spec, set }: FieldParts & { readonly least: number }) {
  return (
    <label>
      {name}
      <input
        type="number"
        min={least}
        value={String(spec[field])}
        onChange={(event) => {
          const value = event.currentTarget.valueAsNumber;
          if (Number.isInteger(value) && value >= least) set({ [field]: value });
        }}
      />
    </label>
  );
}
