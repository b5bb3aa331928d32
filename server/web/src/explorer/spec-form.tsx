/** What is priced, as a form; a file can be dropped on it in place. */
import { INSTANCES } from "../../../../device/trainium/instances.ts";
import { stackNames } from "../../../../device/trainium/stacks/releases.ts";
import { dropped, FileButton } from "../file-button.tsx";
import { CATALOG_IDS } from "./catalog.ts";
import type { ProfileSpec } from "./profile.ts";

/** As --neuron-kernels: the stack's own, none, or attention's alone. */
const KERNELS = ["", "nki", "plain", "flash-attention,fused-qkv,fused-attention"];

interface Parts {
  readonly spec: ProfileSpec;
  readonly change: (spec: ProfileSpec) => void;
  readonly open: (file: File) => Promise<void>;
}

export function SpecForm({ spec, change, open }: Parts) {
  const set = (part: Partial<ProfileSpec>): void => change({ ...spec, ...part });
  const take = (files: readonly File[]): void => {
    const [file] = files;
    if (file !== undefined) void open(file);
  };
  const choice = (name: string, field: keyof ProfileSpec, values: readonly string[]) => (
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
  const whole = (name: string, field: keyof ProfileSpec, least: number) => (
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
  const rare = [spec.stack, spec.quantization, spec.set].some((value) => value !== "");
  return (
    <form onSubmit={(event) => event.preventDefault()} {...dropped(take)}>
      <div class="spec">
        {choice("Model", "model", CATALOG_IDS)}
        {choice(
          "Machine",
          "instance",
          INSTANCES.map(({ name }) => name),
        )}
        {whole("Tensor parallel", "tensorParallel", 1)}
        {whole("Rows", "rows", 1)}
        {whole("Context", "context", 1)}
        {choice("Kernels", "kernels", KERNELS)}
        <FileButton
          text="Open a profile"
          accept=".spans,.json,application/json,application/octet-stream"
          take={take}
        />
      </div>
      <details class="more" open={rare || spec.steps > 1 || spec.prompt > 0}>
        <summary class="note">Steps, prompt, weights, stack, what if</summary>
        <div class="spec">
          {whole("Decode steps", "steps", 1)}
          {whole("Prompt before", "prompt", 0)}
          {choice("Weights", "quantization", ["", "bf16", "fp8"])}
          {choice("Serving stack", "stack", ["", ...stackNames()])}
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
