/** What is priced, as a form; a file can be dropped on it in place. */
import { INSTANCES } from "../../../../device/trainium/instances.ts";
import { CATALOG_IDS } from "./catalog.ts";
import type { ProfileSpec } from "./profile.ts";

interface Parts {
  readonly spec: ProfileSpec;
  readonly change: (spec: ProfileSpec) => void;
  readonly open: (file: File) => Promise<void>;
}

export function SpecForm({ spec, change, open }: Parts) {
  const set = (part: Partial<ProfileSpec>): void => change({ ...spec, ...part });
  const choice = (name: string, field: keyof ProfileSpec, values: readonly string[]) => (
    <label class={field === "model" ? "wide" : ""}>
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
  return (
    <form
      class="spec"
      onSubmit={(event) => event.preventDefault()}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) void open(file);
      }}
    >
      {choice("Model", "model", CATALOG_IDS)}
      {choice(
        "Machine",
        "instance",
        INSTANCES.map(({ name }) => name),
      )}
      {whole("Tensor parallel", "tensorParallel", 1)}
      {whole("Rows", "rows", 1)}
      {whole("Context", "context", 1)}
      {whole("Decode steps", "steps", 1)}
      {whole("Prompt before", "prompt", 0)}
      {choice("Kernels", "kernels", ["", "nki", "plain"])}
      {choice("Weights", "quantization", ["", "bf16", "fp8"])}
      <label class="wide">
        Or open a trace (Chrome's format)
        <input
          type="file"
          accept=".json,application/json"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file !== undefined) void open(file);
          }}
        />
      </label>
    </form>
  );
}
