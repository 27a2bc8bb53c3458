"""Why a prediction is what it is: Shapley values, occlusion, moments."""
