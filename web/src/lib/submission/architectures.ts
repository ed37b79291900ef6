/** Names of networks that are offered while one types; any other name the server knows may be typed too. */
const SIZES = {
    resnet: ['18', '34', '50', '101', '152'],
    vgg: ['11', '11_bn', '13', '13_bn', '16', '16_bn', '19', '19_bn'],
    densenet: ['121', '161', '169', '201'],
    efficientnet_b: ['0', '1', '2', '3', '4', '5', '6', '7'],
    convnext_: ['tiny', 'small', 'base', 'large'],
    regnet_y_: ['400mf', '800mf', '1_6gf', '3_2gf', '8gf', '16gf', '32gf'],
    regnet_x_: ['400mf', '800mf', '1_6gf', '3_2gf', '8gf', '16gf', '32gf'],
    vit_: ['b_16', 'b_32', 'l_16', 'l_32'],
    mnasnet: ['0_5', '0_75', '1_0', '1_3'],
    shufflenet_v2_x: ['0_5', '1_0', '1_5', '2_0'],
    squeezenet: ['1_0', '1_1'],
    mobilenet_v3_: ['small', 'large'],
} as const;

const SINGLE = [
    'alexnet',
    'googlenet',
    'inception_v3',
    'lenet5',
    'mlp(512,256)',
    'mobilenet_v2',
    'resnext50_32x4d',
    'resnext101_32x8d',
    'wide_resnet50_2',
    'wide_resnet101_2',
];

export const ARCHITECTURES: readonly string[] = [
    ...SINGLE,
    ...Object.entries(SIZES).flatMap(([family, sizes]) => sizes.map((size) => family + size)),
].toSorted();
