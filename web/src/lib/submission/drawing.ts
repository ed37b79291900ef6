/** Where the slabs of a network's drawing go. Lengths are in the drawing's own units. */
import type { ModelLayer } from '$lib/api/schema';

export interface Slab {
    kind: 'convolution' | 'linear' | 'pooling';
    x: number;
    width: number;
    height: number;
    /** `conv1: 64 × 112 × 112`. */
    title: string;
}

const TALLEST = 112;
const SHORTEST = 8;
const GAP = 3;

/** The layers that compute or shrink something, from input to output. Others (activations, additions) are not drawn. */
export function slabs(layers: readonly ModelLayer[]): Slab[] {
    const wanted = layers.flatMap((layer) => {
        const kind = kindOf(layer.op);
        if (kind === null) return [];
        // [C, H, W], perhaps after a batch dimension; a vector has no extent.
        const [channels = 1, height = 1] = layer.output_shape.length >= 3 ? layer.output_shape.slice(-3) : [layer.output_shape.at(-1) ?? 1];
        return [{ kind, layer, channels, extent: layer.output_shape.length >= 3 ? height : 1 }];
    });
    const largest = Math.max(...wanted.map(({ extent }) => extent), 1);
    let x = 0;
    return wanted.map(({ kind, layer, channels, extent }) => {
        const width = kind === 'pooling' ? 2 : 2 + 1.5 * Math.log2(1 + channels / 8);
        const height = kind === 'linear' ? SHORTEST + 4 * Math.log2(1 + channels / 8) : Math.max(SHORTEST, (TALLEST * Math.log2(1 + extent)) / Math.log2(1 + largest));
        const slab = { kind, x, width, height, title: `${layer.name}: ${layer.output_shape.join(' × ')}` };
        x += width + GAP;
        return slab;
    });
}

function kindOf(op: string): Slab['kind'] | null {
    if (/conv/i.test(op)) return 'convolution';
    if (/gemm|matmul|linear/i.test(op)) return 'linear';
    if (/pool/i.test(op)) return 'pooling';
    return null;
}
