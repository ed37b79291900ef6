/** Where the slabs of a network's drawing go. Lengths are in the drawing's own units. */
import type { ModelLayer } from '$lib/api/schema';

export interface Slab {
    kind: 'convolution' | 'linear' | 'pooling';
    /** The left edge. */
    x: number;
    width: number;
    height: number;
    name: string;
    /** `64 × 112 × 112`: channels, height, width. */
    shape: string;
}

export interface Drawing {
    slabs: Slab[];
    width: number;
    /** Whether there is room for a name below each slab. */
    isLabelled: boolean;
}

export const TALLEST = 112;
const SHORTEST = 8;
const GAP = 3;
/** A few layers stand so far apart, from middle to middle, that their names fit below them. */
const LABELLED_STEP = 88;
const MOST_LABELLED = 12;

/** The layers that compute or shrink something, from input to output. Others (activations, additions) are not drawn. */
export function drawingOf(layers: readonly ModelLayer[]): Drawing {
    const wanted = layers.flatMap((layer) => {
        const kind = kindOf(layer.op);
        if (kind === null) return [];
        // [C, H, W], perhaps after a batch dimension; a vector has no extent.
        const [channels = 1, height = 1] = layer.output_shape.length >= 3 ? layer.output_shape.slice(-3) : [layer.output_shape.at(-1) ?? 1];
        return [{ kind, layer, channels, extent: layer.output_shape.length >= 3 ? height : 1 }];
    });
    const largest = Math.max(...wanted.map(({ extent }) => extent), 1);
    const isLabelled = wanted.length <= MOST_LABELLED;
    const thickness = isLabelled ? 2 : 1;
    let x = 0;
    const slabs = wanted.map(({ kind, layer, channels, extent }, index): Slab => {
        const width = thickness * (kind === 'pooling' ? 2 : 2 + 1.5 * Math.log2(1 + channels / 8));
        const height = kind === 'linear' ? SHORTEST + 4 * Math.log2(1 + channels / 8) : Math.max(SHORTEST, (TALLEST * Math.log2(1 + extent)) / Math.log2(1 + largest));
        const left = isLabelled ? (index + 0.5) * LABELLED_STEP - width / 2 : x;
        x = left + width + GAP;
        return { kind, x: left, width, height, name: layer.name, shape: layer.output_shape.join(' × ') };
    });
    return { slabs, width: isLabelled ? slabs.length * LABELLED_STEP : Math.max(0, x - GAP), isLabelled };
}

function kindOf(op: string): Slab['kind'] | null {
    if (/conv/i.test(op)) return 'convolution';
    if (/gemm|matmul|linear/i.test(op)) return 'linear';
    if (/pool/i.test(op)) return 'pooling';
    return null;
}
