/** A button that chooses files; what is dropped on its panel goes the same way (`dropped`). */
export function FileButton(parts: {
  readonly text: string;
  readonly accept: string;
  readonly multiple?: boolean;
  readonly take: (files: FileList) => void;
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
          const { files } = event.currentTarget;
          if (files !== null && files.length > 0) parts.take(files);
          event.currentTarget.value = ""; // the same file may be chosen again
        }}
      />
    </span>
  );
}

/** Handlers of a place that files can be dropped on. */
export function dropped(take: (files: FileList) => void) {
  return {
    onDragOver: (event: DragEvent): void => event.preventDefault(),
    onDrop: (event: DragEvent): void => {
      event.preventDefault();
      const files = event.dataTransfer?.files;
      if (files !== undefined && files.length > 0) take(files);
    },
  };
}
