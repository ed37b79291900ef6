/** Accuracy and cost of torchvision's networks, as torchvision reports them. */
import { names } from '$lib/charts/labels';
import { countScale, type Draw, frame, typeSize } from '$lib/charts/plot';
import type { ChartTable } from '$lib/charts/table';
import { scaledText } from '$lib/format/numbers';
import csv from './torchvision.csv?raw';

export interface Network {
    architecture: string;
    weights: string;
    /** `null` where torchvision's table has none. */
    parameters: number | null;
    macs: number;
    /** Percent of ImageNet's validation images. */
    top1: number;
    top5: number;
    family: string;
}

/** Families in the order in which they were published; the rest is drawn in grey. */
const FAMILIES = ['AlexNet', 'VGG', 'GoogLeNet, Inception', 'ResNet'] as const;
const COLOURS = {
    domain: [...FAMILIES, 'others'],
    range: ['var(--series-2)', 'var(--series-4)', 'var(--series-3)', 'var(--series-1)', 'var(--ink-faint)'],
};
const LABELLED = ['alexnet', 'vgg16', 'googlenet', 'resnet18', 'resnet50', 'resnet152', 'mobilenet_v2', 'efficientnet_b0', 'vit_h_14'];

export function networksFrom(text: string): Network[] {
    const [header = '', ...lines] = text.trim().split(/\r?\n/);
    const columns = header.split(',');
    return lines.map((line) => {
        const cells = line.split(',');
        const cell = (column: string): string => cells[columns.indexOf(column)] ?? '';
        return {
            architecture: cell('architecture'),
            weights: cell('weights'),
            parameters: cell('parameters') === '' ? null : Number(cell('parameters')),
            macs: Number(cell('gmacs')) * 1e9,
            top1: Number(cell('top1')),
            top5: Number(cell('top5')),
            family: familyOf(cell('architecture')),
        };
    });
}

function familyOf(architecture: string): string {
    if (architecture === 'alexnet') return 'AlexNet';
    if (architecture.startsWith('vgg')) return 'VGG';
    if (architecture === 'googlenet' || architecture.startsWith('inception')) return 'GoogLeNet, Inception';
    return /^(wide_)?resne(x)?t/.test(architecture) ? 'ResNet' : 'others';
}

export const NETWORKS: readonly Network[] = networksFrom(csv);

export const drawAccuracy: Draw = (Plot, width) => {
    // One point of each name, those to be named first.
    const labelled = LABELLED.flatMap((label) => NETWORKS.find(({ architecture }) => architecture === label) ?? []);
    const labelledFirst = [...labelled, ...NETWORKS.filter((network) => !labelled.includes(network))];
    const unsized = NETWORKS.filter(({ parameters }) => parameters === null);
    return Plot.plot({
        ...frame(width, Math.round(Math.min(560, Math.max(340, width * 0.55)))),
        x: { ...countScale(NETWORKS.map(({ macs }) => macs), 'multiply-accumulates of one image'), inset: width < 500 ? 12 : 24 },
        y: { label: 'top-1 accuracy, %', grid: true, inset: 24, ticks: 8 },
        r: { range: [0, width < 500 ? 16 : 26] },
        color: { ...COLOURS, legend: true },
        marks: [
            Plot.dot(NETWORKS, { x: 'macs', y: 'top1', r: 'parameters', fill: 'family', fillOpacity: 0.35, stroke: 'family', strokeOpacity: 0.9, sort: { channel: '-r' } }),
            Plot.dot(unsized, { x: 'macs', y: 'top1', r: 3, stroke: 'family', strokeDasharray: '2 2' }),
            names(Plot, labelledFirst, { x: 'macs', y: 'top1', r: 'parameters', text: (network) => (labelled.includes(network) ? network.architecture : ''), fontSize: typeSize(width) }),
            Plot.tip(NETWORKS, Plot.pointer({ x: 'macs', y: 'top1', title: (network: Network) => `${network.architecture} (${network.weights})\n${network.top1.toFixed(2)} %\n${scaledText(network.macs)} MACs, ${network.parameters === null ? 'unknown' : scaledText(network.parameters)} parameters` })),
        ],
    });
};

const best = NETWORKS.reduce((a, b) => (b.top1 > a.top1 ? b : a));
export const ACCURACY_SUMMARY = `${NETWORKS.length} sets of torchvision's weights by multiply-accumulates and top-1 accuracy on ImageNet's validation images: from AlexNet, 56.5 % with 0.7 G, to ${best.architecture}, ${best.top1.toFixed(1)} % with ${scaledText(best.macs)}. Networks with more operations are more accurate, with large differences at the same cost.`;

export const ACCURACY_TABLE: ChartTable = {
    columns: [
        { title: 'Network' },
        { title: 'Weights' },
        { title: 'Parameters', isNumber: true },
        { title: 'MACs', isNumber: true },
        { title: 'Top-1, %', isNumber: true },
        { title: 'Top-5, %', isNumber: true },
    ],
    rows: [...NETWORKS]
        .sort((a, b) => a.macs - b.macs)
        .map(({ architecture, weights, parameters, macs, top1, top5 }) => [architecture, weights, { quantity: parameters }, { quantity: macs }, top1.toFixed(2), top5.toFixed(2)]),
};
