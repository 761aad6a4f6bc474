/** A measured share in percent, with its 95 % interval where one is known. */
export interface Measured {
  readonly value: number;
  readonly interval?: readonly [low: number, high: number];
}

/** One number of one evaluation, for the trained encoder and for what it is compared with. */
export interface ReportEvaluation {
  /** For people: `Classification, 20 nearest neighbours`. */
  readonly name: string;
  /** `top-1 accuracy`, `mean IoU`; in percent, more is better. */
  readonly metric: string;
  /** What it is measured on, such as `1024 held-out scenes, 12 classes`. */
  readonly on?: string;
  readonly trained: Measured;
  /** The same architecture with random weights. */
  readonly untrained?: Measured;
  /** Colour and position of pixels instead of features. */
  readonly colourAndPosition?: Measured;
  /** What guessing gives, in percent. */
  readonly chance?: number;
}

/** The outcome in words. */
export interface Verdict {
  /** `good`: clearly better than all it is compared with; `bad`: clearly worse than something; `unclear`: between. */
  readonly tone: 'good' | 'unclear' | 'bad';
  readonly headline: string;
  readonly sentences: readonly string[];
}

/** A picture for the report. */
export interface ReportPicture {
  readonly title: string;
  /** What to see in it, in a sentence or two. */
  readonly caption: string;
  /** A PNG file. */
  readonly png: Uint8Array;
  /** What it shows, for those who do not see it; the caption unless given. */
  readonly alt?: string;
}

/** A command to type next. */
export interface NextCommand {
  readonly command: string;
  /** What it does: `Train five times longer`. */
  readonly purpose: string;
}

/** What a report needs beyond what the run folder holds. */
export interface ReportParts {
  readonly title: string;
  /** One sentence: what was trained on what. */
  readonly summary: string;
  readonly verdict: Verdict;
  readonly evaluations: readonly ReportEvaluation[];
  readonly pictures: readonly ReportPicture[];
  readonly nextCommands: readonly NextCommand[];
  /** The command that repeats the run. */
  readonly command: string;
  /** Further facts for the block on reproduction, such as `['Training data', 'scenes://?split=train&count=4096']`. */
  readonly facts?: readonly (readonly [name: string, value: string])[];
}
