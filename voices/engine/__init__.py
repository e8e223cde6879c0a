"""Speech itself: who owns the loaded models, what makes a good reference, how sound leaves. Knows no Django."""
