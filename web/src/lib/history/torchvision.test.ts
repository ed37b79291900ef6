import { expect, test } from 'vitest';
import { NETWORKS } from './torchvision';

// From torchvision's documentation of its weights.
test.each([
    ['alexnet', 'IMAGENET1K_V1', 61_100_840, 0.714, 56.522],
    ['vgg16', 'IMAGENET1K_V1', 138_357_544, 15.47, 71.592],
    ['resnet50', 'IMAGENET1K_V2', 25_557_032, 4.089, 80.858],
    ['resnet152', 'IMAGENET1K_V1', 60_192_808, 11.514, 78.312],
])('%s %s', (architecture, weights, parameters, gmacs, top1) => {
    const network = NETWORKS.find((known) => known.architecture === architecture && known.weights === weights);
    expect(network).toMatchObject({ parameters, top1 });
    expect((network?.macs ?? 0) / 1e9).toBeCloseTo(gmacs, 6);
});

test('what the table does not tell stays unknown', () => {
    expect(NETWORKS.find(({ architecture }) => architecture === 'mobilenet_v2')?.parameters).toBeNull();
});

test('networks belong to their families', () => {
    const family = (architecture: string): string | undefined => NETWORKS.find((network) => network.architecture === architecture)?.family;
    expect(['alexnet', 'vgg16_bn', 'inception_v3', 'wide_resnet50_2', 'resnext50_32x4d', 'regnet_y_8gf'].map(family)).toEqual([
        'AlexNet',
        'VGG',
        'GoogLeNet, Inception',
        'ResNet',
        'ResNet',
        'others',
    ]);
});
