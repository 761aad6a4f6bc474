/** What a run will cost, computed before it begins. */
export interface CostEstimate {
  /** Parameters by part. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Floating-point operations of an image's step in each stage, two for a multiply-add. */
  readonly stages: readonly { readonly name: string; readonly steps: number; readonly flopsPerImage: number }[];
  /** Of the whole run. */
  readonly flops: number;
  /** Memory at its largest, without the process itself. */
  readonly memoryBytes: number;
}
