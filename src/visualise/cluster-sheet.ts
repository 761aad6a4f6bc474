import type { Raster } from '../data/resample.js';
import type { ClusterPortrait, ClusterSurvey, PatchClusters } from './cluster-survey.js';
import { distinctColour } from './distinct-colours.js';
import { type Colour, cssColour, framed } from './mark-pictures.js';
import { drawSheet, type SheetBlock } from './picture-sheet.js';
import { enlargeEvenly, enlargeSmoothly, shownSide } from './resize-pictures.js';
import type { SampleImage } from './sample-images.js';

/** What a sheet of clusters shows. */
export interface ClusterSheetOptions {
  readonly images: readonly SampleImage[];
  /** Of these images. */
  readonly patches: PatchClusters;
  /** Of many images. */
  readonly survey: ClusterSurvey;
  /** Number of clusters K, and what one is called. */
  readonly clusters: number;
  readonly noun: 'prototype' | 'cluster';
  readonly heading: string;
}

/** Examples are as large as the images of a sheet with as many. */
const COLUMNS = 8;

/**
 * Images above the clusters of their patches, each cluster in a colour of its own, and below them the most frequent
 * clusters with the patches that fit them best.
 *
 * @returns a PNG file
 */
export async function drawClusterSheet(options: ClusterSheetOptions): Promise<Buffer> {
  const { images, patches, survey, clusters, noun, heading } = options;
  const side = shownSide(patches.side, images.length);
  const colours = new Map(
    [...new Set([...survey.ranking, ...patches.clusters])].map((cluster, i) => [cluster, distinctColour(i)]),
  );
  const area = patches.side ** 2;
  const maps = images.map((_, image) => {
    const data = new Uint8Array(area * 3);
    for (let patch = 0; patch < area; patch++)
      data.set(colours.get(patches.clusters[image * area + patch]!)!, patch * 3);
    return enlargeEvenly({ data, width: patches.side, height: patches.side }, side);
  });
  return drawSheet({
    heading,
    note: `Every patch has the colour of the ${noun} that it is closest to: parts that look alike to the encoder have one colour in all images. ${survey.ranking.length} of ${clusters} ${noun}s occur in ${survey.images} images. Below are the most frequent ones, each with the patches that are closest to it (framed), one of an image.`,
    blocks: [
      {
        rows: [
          { label: 'Images', cells: images.map(({ picture }) => enlargeSmoothly(picture, side)) },
          { label: `The ${noun}s of their patches`, cells: maps },
        ],
        captions: images.map(({ caption }) => caption),
      },
      portraitBlock(survey.portraits, colours, noun, shownSide(patches.side, COLUMNS)),
    ],
  });
}

/** A column for each cluster. */
function portraitBlock(
  portraits: readonly ClusterPortrait[],
  colours: ReadonlyMap<number, Colour>,
  noun: string,
  side: number,
): SheetBlock {
  const depth = Math.max(...portraits.map(({ examples }) => examples.length));
  const cell = ({ cluster, examples }: ClusterPortrait, place: number) => {
    const example = examples[place];
    return example ? marked(example, colours.get(cluster)!, side) : blank(side);
  };
  return {
    rows: Array.from({ length: depth }, (_, place) => ({
      ...(place === 0 && { label: `The most frequent ${noun}s: number, and share of all patches` }),
      cells: portraits.map((portrait) => cell(portrait, place)),
    })),
    captions: portraits.map(({ cluster, share }) => ({
      text: `${cluster} · ${(100 * share).toFixed(share < 0.01 ? 2 : 1)} %`,
      colour: cssColour(colours.get(cluster)!),
    })),
  };
}

/** The patch of an example, framed. */
function marked({ picture, patch }: ClusterPortrait['examples'][number], colour: Colour, side: number): Raster {
  const at = (share: number) => Math.round(share * side);
  const part = { left: at(patch.left), top: at(patch.top), width: at(patch.side), height: at(patch.side) };
  return framed(enlargeSmoothly(picture, side), part, colour);
}

function blank(side: number): Raster {
  return { data: new Uint8Array(side * side * 3).fill(255), width: side, height: side };
}
