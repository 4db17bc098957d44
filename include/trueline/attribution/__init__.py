"""What attribution learns from past leads: removal effects and Shapley values, exactly."""
