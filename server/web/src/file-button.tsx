/** A button that chooses files; what is dropped on its panel goes the same way (`dropped`). */
export function FileButton(parts: {
  readonly text: string;
  readonly accept: string;
  readonly multiple?: boolean;
  readonly take: (files: readonly File[]) => void;
}) {
  return (
    <span class="button file">
      {parts.text}
      <input
        type="file"
        aria-label={parts.text}
        accept={parts.accept}
        multiple={parts.multiple === true}
        onChange={(event) => {
          // A copy: the list goes with the value, which goes so that the same file may be chosen again.
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = "";
          if (files.length > 0) parts.take(files);
        }}
      />
    </span>
  );
}

/** Handlers of a place that files can be dropped on. */
export function dropped(take: (files: readonly File[]) => void) {
  return {
    onDragOver: (event: DragEvent): void => event.preventDefault(),
    onDrop: (event: DragEvent): void => {
      event.preventDefault();
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length > 0) take(files);
    },
  };
}
