import { expect, test } from 'vitest';
import { IMAGENET_RECIPE, pastedRecipe, recipeFor, recipeOf } from './preprocess';

test("torchvision's classic recipe becomes the contract's JSON", () => {
    expect(recipeOf(IMAGENET_RECIPE)).toEqual({
        recipe: {
            resize: 256,
            crop: 224,
            interpolation: 'bilinear',
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
            // As the contract writes it.
            scale: 0.00392156862745098,
            channels: 'rgb',
        },
        faults: {},
    });
});

test('an empty field is left out, and two sizes are height and width', () => {
    const { recipe } = recipeOf({ ...IMAGENET_RECIPE, resize: '32 x 28', crop: '', mean: '', std: '', scale: '', channels: 'gray' });
    expect(recipe).toEqual({ resize: [32, 28], interpolation: 'bilinear', channels: 'gray' });
});

test('what the form begins with suits the images', () => {
    // Fashion-MNIST's test images, CIFAR-10's, and ImageNet's, which differ in size.
    expect(recipeOf(recipeFor([10_000, 28, 28])).recipe).toEqual({ interpolation: 'bilinear', channels: 'gray', mean: [0], std: [1], scale: 1 / 255 });
    expect(recipeOf(recipeFor([10_000, 32, 32, 3])).recipe).toEqual({ ...recipeOf(IMAGENET_RECIPE).recipe, resize: undefined, crop: undefined });
    expect(recipeFor(null)).toEqual(IMAGENET_RECIPE);
});

test('each field says what it takes', () => {
    const { faults } = recipeOf({ ...IMAGENET_RECIPE, resize: 'big', crop: '224, 224', mean: '0.5', std: '0, 1, 1', scale: '1/0' });
    expect(Object.keys(faults).toSorted()).toEqual(['crop', 'mean', 'resize', 'scale', 'std']);
});

test('what is pasted is JSON or a name', () => {
    expect(pastedRecipe(' torchvision:ResNet50_Weights.IMAGENET1K_V2 ').recipe).toBe('torchvision:ResNet50_Weights.IMAGENET1K_V2');
    expect(pastedRecipe('{"crop": 224}').faults).toEqual({});
    expect(pastedRecipe('{"crop": }').faults.json).toMatch(/^Not valid JSON/);
});
